"""The parts of an Office file (Open Packaging Conventions, ECMA-376 part 2), and the texts in drawings and charts."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree

from ha_rag.index.reading.extract import RawFile
from ha_rag.index.reading.xml_tree import all_named, attribute, child, local, parsed_xml
from ha_rag.index.reading.zipped import opened_zip, unpacked


class OfficePackage:
    """The parts of a file by name. Raises UnreadableDocumentError if it is no archive."""

    def __init__(self, file: RawFile) -> None:
        self.archive = opened_zip(file)
        # Some programs write backslashes.
        self._names = {name.replace("\\", "/").lstrip("/"): name for name in self.archive.namelist()}

    def main_part(self) -> str:
        """The name of the document itself. Raises KeyError if there is none."""
        for relation in self.part("_rels/.rels") or ():
            if attribute(relation, "Type").endswith("/officeDocument"):
                return posixpath.normpath(attribute(relation, "Target").lstrip("/"))
        raise KeyError("it has no document in it")

    def part(self, name: str) -> ElementTree.Element | None:
        """The root of a part; None if there is no such part. Raises ParseError and BadZipFile if it is damaged."""
        return parsed_xml(unpacked(self.archive, self._names[name])) if name in self._names else None

    def data(self, name: str) -> bytes:
        """The bytes of a part. Raises KeyError and BadZipFile."""
        return unpacked(self.archive, self._names[name])

    def named(self, pattern: str) -> list[str]:
        """The names that match a pattern, in the order of their numbers."""
        found = [name for name in self._names if re.fullmatch(pattern, name)]
        return sorted(found, key=lambda name: (len(name), name))


def drawn_lines(package: OfficePackage, folder: str) -> Iterator[str]:
    """The texts of the diagrams (SmartArt) and charts that an application keeps below its folder."""
    for name in package.named(rf"{folder}/(?:diagrams/data|charts/chart)\d*\.xml"):
        try:
            root = package.part(name)
        except (ElementTree.ParseError, zipfile.BadZipFile, ValueError):
            continue  # a picture of what the document says
        if root is not None:
            yield from chart_lines(root) if "/charts/" in name else text_lines(root)


def text_lines(root: ElementTree.Element) -> Iterator[str]:
    """Each paragraph of a drawing (`a:p`) that has text."""
    for paragraph in all_named(root, "p"):
        text = " ".join("".join(one.text or "" for one in all_named(paragraph, "t")).split())
        if text:
            yield text


def chart_lines(root: ElementTree.Element) -> Iterator[str]:
    """The title of a chart, and each series with its values by category."""
    chart = child(root, "chart")
    yield from text_lines(title) if (title := child(chart, "title")) is not None else ()
    for series in all_named(chart, "ser"):
        name = " ".join(_values(child(series, "tx")))
        names = _values(child(series, "cat")) or _values(child(series, "xVal"))
        values = _values(child(series, "val")) or _values(child(series, "yVal"))
        pairs = [f"{at}: {value}" for at, value in zip(names, values, strict=False)] or values
        if pairs:
            yield f"- {name}: " * bool(name) + "; ".join(pairs)


def alternative(element: ElementTree.Element) -> ElementTree.Element:
    """That of several equal contents (`mc:AlternateContent`) which has text."""
    choices = [part for part in element if local(part) in ("Choice", "Fallback")]
    having = (one for one in choices if any((text.text or "").strip() for text in all_named(one, "t")))
    return next(having, choices[0] if choices else element)


def _values(element: ElementTree.Element | None) -> list[str]:
    points = [point for point in all_named(element, "pt") if local(point) == "pt"]
    return [" ".join((value.text or "").split()) for point in points for value in point if local(value) == "v"]
