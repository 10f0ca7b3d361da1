"""Reads EPUB books: the pages that the package document lists, in their order (EPUB 3.3)."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree import ElementTree

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.html import read_html
from ha_rag.index.reading.xml_tree import parsed_xml
from ha_rag.index.reading.zipped import damaged, opened_zip, unpacked

_CONTAINER = "META-INF/container.xml"


def read_epub(file: RawFile) -> Extract:
    """The text of a book. Raises UnreadableDocumentError."""
    archive = opened_zip(file)
    try:
        package, pages = _package(archive)
    except (KeyError, ElementTree.ParseError, zipfile.BadZipFile, ValueError) as error:
        raise damaged(file, error) from error
    texts: list[str] = []
    notices: list[str] = []
    unread: list[tuple[str, str]] = []
    for page in pages:
        try:
            read = read_html(RawFile(name="", data=unpacked(archive, page)))
        except (UnreadableDocumentError, KeyError, zipfile.BadZipFile, ValueError) as error:
            unread.append((page, damaged(file, error).why))
            continue
        texts.append(read.text)
        notices += (f"{page}: {notice}" for notice in read.notices)
        unread += ((f"{page}, {part}", why) for part, why in read.unread)
    metadata = {
        name: value for name, key in (("author", "creator"), ("date", "date")) if (value := _meta(package, key))
    }
    return Extract(
        text="\n\n".join(filter(None, texts)), title=_meta(package, "title"), metadata=metadata,
        notices=tuple(notices), unread=tuple(unread),
    )  # fmt: skip


def _parsed(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    return parsed_xml(unpacked(archive, name))


def _package(archive: zipfile.ZipFile) -> tuple[ElementTree.Element, list[str]]:
    """The package document, and the paths of the pages in reading order."""
    name = next((path for element in _parsed(archive, _CONTAINER).iter() if (path := element.get("full-path"))), "")
    package = _parsed(archive, name)
    items = {item.get("id"): item for item in _named(package, "item")}
    spine = [items[ref] for element in _named(package, "itemref") if (ref := element.get("idref")) in items]
    folder = posixpath.dirname(name)
    return package, [
        posixpath.normpath(posixpath.join(folder, unquote(item.get("href") or "")))
        for item in spine
        if "html" in (item.get("media-type") or "html") and "nav" not in (item.get("properties") or "").split()
    ]


def _named(package: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return (element for element in package.iter() if element.tag.rpartition("}")[2] == name)


def _meta(package: ElementTree.Element, name: str) -> str:
    return next((text for element in _named(package, name) if (text := " ".join((element.text or "").split()))), "")
