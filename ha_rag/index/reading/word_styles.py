"""The styles and lists of a Word file: which paragraphs are headings, and which are items of which list."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from ha_rag.index.reading.xml_tree import all_named, attribute, child

_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
DEEPEST_STYLE = 20
"""Styles that are based on one another; a damaged file may have a circle of them."""
UNMARKED = "none"


@dataclass(frozen=True, slots=True)
class ListItem:
    """A paragraph's list and its level in it, from 0."""

    number: str
    level: int


class WordStyles:
    """The styles of a file, by their ids. `styles`: the root of its part, or None."""

    def __init__(self, styles: Element | None) -> None:
        self._styles = {attribute(style, "styleId"): style for style in all_named(styles, "style")}

    def heading_level(self, paragraph: Element) -> int:
        """1 to 6 for a heading, 0 for anything else."""
        own = child(paragraph, "pPr", "outlineLvl")
        if own is not None:
            return _level(attribute(own, "val"))
        for style in self._styles_of(paragraph):
            name = attribute(child(style, "name"), "val").strip().lower()
            if name == "title":
                return 1
            if found := _HEADING.fullmatch(name):
                return min(6, int(found[1]))
            outline = child(style, "pPr", "outlineLvl")
            if outline is not None:
                return _level(attribute(outline, "val"))
        return 0

    def list_item(self, paragraph: Element) -> ListItem | None:
        """The list that a paragraph or its style belongs to."""
        for holder in (paragraph, *self._styles_of(paragraph)):
            numbering = child(holder, "pPr", "numPr")
            if numbering is None:
                continue
            number, level = (attribute(child(numbering, name), "val") for name in ("numId", "ilvl"))
            return ListItem(number, int(level) if level.isdigit() else 0) if number not in ("", "0") else None
        return None

    def _styles_of(self, paragraph: Element) -> list[Element]:
        """A paragraph's style and those that it is based on."""
        found: list[Element] = []
        name = attribute(child(paragraph, "pPr", "pStyle"), "val")
        while name in self._styles and len(found) < DEEPEST_STYLE:
            found.append(self._styles[name])
            name = attribute(child(found[-1], "basedOn"), "val")
        return found


def _level(outline: str) -> int:
    """9 is body text."""
    return min(6, int(outline) + 1) if outline.isdigit() and int(outline) < 9 else 0


@dataclass(slots=True)
class WordLists:
    """Counts the items of the lists of a file. `numbering`: the root of its part, or None."""

    numbering: Element | None
    _formats: dict[str, dict[int, tuple[str, int]]] = field(default_factory=dict)
    _abstract: dict[str, str] = field(default_factory=dict)
    _counts: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for abstract in all_named(self.numbering, "abstractNum"):
            self._formats[attribute(abstract, "abstractNumId")] = {
                int(attribute(level, "ilvl")): (
                    attribute(child(level, "numFmt"), "val"), _number(attribute(child(level, "start"), "val")),
                )
                for level in all_named(abstract, "lvl") if attribute(level, "ilvl").isdigit()
            }  # fmt: skip
        for number in all_named(self.numbering, "num"):
            self._abstract[attribute(number, "numId")] = attribute(child(number, "abstractNumId"), "val")

    def marker(self, item: ListItem) -> str:
        """What stands before the next item: "- ", "3. ", or nothing in a list without marks."""
        kind, start = self._formats.get(self._abstract.get(item.number, ""), {}).get(item.level, ("bullet", 1))
        if kind in ("bullet", ""):
            return "- "
        if kind == UNMARKED:
            return ""
        for number, level in list(self._counts):
            if number == item.number and level > item.level:
                del self._counts[number, level]
        count = self._counts.get((item.number, item.level), start - 1) + 1
        self._counts[item.number, item.level] = count
        return f"{count}. "


def _number(text: str) -> int:
    return int(text) if re.fullmatch("[0-9]{1,6}", text) else 1
