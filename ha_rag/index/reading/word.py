"""Reads Word files (.docx): the body with its notes and boxes, then diagrams, charts, page headers and footers."""

from __future__ import annotations

import posixpath
import zipfile
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.document import has_words
from ha_rag.index.reading.core_properties import core_properties
from ha_rag.index.reading.decoding import tidy
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.office_package import OfficePackage, drawn_lines
from ha_rag.index.reading.word_styles import WordLists, WordStyles
from ha_rag.index.reading.word_text import WordText
from ha_rag.index.reading.xml_tree import attribute, child, local
from ha_rag.index.reading.zipped import damaged

_NOTES = {"footnotes": "footnote", "endnotes": "endnote", "comments": "comment"}


def read_word(file: RawFile) -> Extract:
    """The text of a Word file. Raises UnreadableDocumentError."""
    package = OfficePackage(file)
    unread: list[tuple[str, str]] = []
    try:
        main = package.main_part()
        root = package.part(main)
        if root is None or (body := child(root, "body")) is None:
            raise KeyError("it has no document in it")
        parts = _SideParts(package, posixpath.dirname(main), unread)
        walk = _walk(parts, main)
        walk.blocks(body)
        _write_the_rest(walk, parts)
    except Exception as error:
        raise damaged(file, error) from error
    properties = core_properties(package.archive)
    text = tidy(walk.writer.written())
    if not has_words(text) and not unread:
        raise UnreadableDocumentError(file.name, "contains no text")
    title = str(properties.pop("title", "")) or walk.first_heading
    return Extract(text=text, title=title, metadata=properties, unread=tuple(unread))


@dataclass(frozen=True, slots=True)
class _SideParts:
    """The parts beside the document itself. One that is damaged costs only itself, and is added to `unread`."""

    package: OfficePackage
    folder: str
    unread: list[tuple[str, str]]

    def root(self, name: str) -> Element | None:
        """The root of a part in the document's folder; None if it is not there or damaged."""
        try:
            return self.package.part(f"{self.folder}/{name}")
        except (ParseError, zipfile.BadZipFile, ValueError):
            self.unread.append((name, "is damaged"))
            return None


def _walk(parts: _SideParts, main: str) -> WordText:
    notes = {
        (kind, attribute(note, "id")): note
        for kind, name in _NOTES.items()
        for note in _children(parts.root(f"{kind}.xml"))
        if local(note) == name and attribute(note, "type") not in ("separator", "continuationSeparator")
    }
    relations = {
        attribute(relation, "Id"): posixpath.normpath(posixpath.join("/", parts.folder, attribute(relation, "Target")))[
            1:
        ]
        for relation in _children(parts.root(f"_rels/{posixpath.basename(main)}.rels"))
    }

    def embedded(relation: str) -> str:
        """A file that the document shows as a part of itself (`altChunk`)."""
        name = relations.get(relation, "")
        try:
            return _embedded(name, parts.package.data(name))
        except (KeyError, zipfile.BadZipFile, UnreadableDocumentError) as error:
            why = error.why if isinstance(error, UnreadableDocumentError) else "is damaged or not there"
            parts.unread.append((name or "a file in it", why))
            return ""

    return WordText(WordStyles(parts.root("styles.xml")), WordLists(parts.root("numbering.xml")), notes, embedded)


def _embedded(name: str, data: bytes) -> str:
    from ha_rag.index.reading.kinds import form_of
    from ha_rag.index.reading.readers import read_as

    return read_as(form_of(name) or "text", RawFile(name=name, data=data)).text


def _children(root: Element | None) -> Element | tuple[()]:
    return root if root is not None else ()


def _write_the_rest(walk: WordText, parts: _SideParts) -> None:
    """What belongs to no place in the text. A header that several sections have is written once."""
    package, folder = parts.package, parts.folder
    walk.writer.lines(drawn_lines(package, folder))
    written: set[str] = set()
    for name in (*package.named(rf"{folder}/header\d*\.xml"), *package.named(rf"{folder}/footer\d*\.xml")):
        root = parts.root(posixpath.basename(name))
        text = "".join(root.itertext()) if root is not None else ""
        if root is not None and text not in written and has_words(text):
            written.add(text)
            walk.blocks(root)
