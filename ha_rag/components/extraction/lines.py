"""The blocks of a passage's text, line by line, with their positions: headings, items, code, tables and paragraphs.

Passages are parts of documents, so a block may lack its beginning or its end; a parser of whole documents would take
the second half of a list for something else. Everything keeps its position in the passage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

_FENCE = re.compile(r"^\s*(?:>\s?)*(```+|~~~+)")
_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_RULE = re.compile(r"^\s*(={3,}|-{3,}|\*{3,}|_{3,})\s*$")
_TABLE = re.compile(r"^\s*\||\s\|\s.*\s\|\s")
_STEP_WORDS = "step|schritt|étape|paso|passo|stap|steg|krok|步骤|步驟|手順|ขั้นตอนที่|ขั้นที่"
_ITEM = re.compile(
    rf"^(?P<indent>[\s>]*)(?P<emphasis>[*_]{{2,3}})?(?:(?:{_STEP_WORDS})\s*(?P<step>\d{{1,3}})(?:\s*[.:)\uff1a–—-]|(?=[*_]{{2}}))"
    r"|第\s*(?P<cjk>\d{1,3})\s*步\s*[.:)\uff1a、]?"
    r"|\(?(?P<number>\d{1,3})[.)](?:(?<=\d.)[*_]{2,3})?(?=\s)|\(?(?P<letter>[a-z])\)(?=\s)|(?:[-+•]|(?<![*_])\*)(?=\s))\s*",
    re.IGNORECASE,
)
_STEP_HEADING = re.compile(rf"^\s{{0,3}}#{{1,6}}\s+(?=[*_]{{0,3}}(?:{_STEP_WORDS})\s*\d)", re.IGNORECASE)
_HTML = re.compile(r"<!--.{0,2000}?-->|</?[a-zA-Z][^<>]{0,300}>", re.DOTALL)
_CODE_LINE = re.compile(r"[{};\\]\s*$|^\s*(?:\$ |>>> |import |from \w+ import |def |class |return |@\w|[\w.\[\]]+ = )")
_NOT_A_LINE_END = re.compile(r"[^\n]")


class BlockKind(Enum):
    """What a block is."""

    HEADING = auto()
    PARAGRAPH = auto()
    ITEM = auto()
    CODE = auto()
    TABLE = auto()


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line without its prefix (list marker, quote mark) and line end. `start`, `end`: positions in the passage."""

    start: int
    end: int
    text: str


@dataclass(slots=True)
class Block:
    """Some lines. `number`: of an item in an ordered list, or a heading's level. `indent`: how far it is indented."""

    kind: BlockKind
    lines: list[PlacedLine] = field(default_factory=list)
    number: int | None = None
    indent: int = 0

    @property
    def start(self) -> int:
        """The position of its first character in the passage."""
        return self.lines[0].start

    @property
    def end(self) -> int:
        """The position after its last character."""
        return self.lines[-1].end


def blocks_in(text: str) -> list[Block]:
    """The blocks of a text in order; those without text are left out."""
    return [block for block in _Reader(_without_html(text)).blocks() if any(line.text.strip() for line in block.lines)]


def _without_html(text: str) -> str:
    """`text` with blanks for tags and comments, so that every character keeps its position."""
    return _HTML.sub(lambda found: _NOT_A_LINE_END.sub(" ", found[0]), text) if "<" in text else text


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._open: Block | None = None
        self._fence = ""

    def blocks(self) -> Iterator[Block]:
        at = 0
        for raw in self._text.split("\n"):
            yield from self._read(PlacedLine(at, at + len(raw.rstrip()), raw.rstrip()))
            at += len(raw) + 1
        yield from self._closed()

    def _read(self, line: PlacedLine) -> Iterator[Block]:
        fence = _FENCE.match(line.text)
        if self._fence:
            if fence and fence[1].startswith(self._fence) and line.text.strip(" >\t`~") == "":
                self._fence = ""
                yield from self._closed()
            elif self._open is not None:
                self._open.lines.append(line)
        elif fence:
            yield from self._closed()
            self._fence = fence[1]
            self._open = Block(BlockKind.CODE, indent=_indent(line.text))
        elif not line.text.strip():
            yield from self._closed()
        else:
            yield from self._read_text(line)

    def _read_text(self, line: PlacedLine) -> Iterator[Block]:
        text = line.text
        step = _STEP_HEADING.match(text)
        if step:
            line, text = _from(line, step.end()), text[step.end() :]
        heading = _HEADING.match(text)
        item = _ITEM.match(text)
        if heading:
            yield from self._closed()
            title = PlacedLine(line.start + heading.start(2), line.start + heading.end(2), heading[2])
            yield Block(BlockKind.HEADING, [title], len(heading[1]))
        elif _RULE.match(text):
            if self._open is not None and self._open.kind is BlockKind.PARAGRAPH and text.strip()[0] in "=-":
                self._open.kind, self._open.number = BlockKind.HEADING, 1 if text.strip()[0] == "=" else 2
            yield from self._closed()
        elif item:
            yield from self._closed()
            self._open = _item(line, item, is_heading=step is not None)
        else:
            kind = BlockKind.TABLE if _TABLE.search(text) else BlockKind.PARAGRAPH
            if kind is BlockKind.PARAGRAPH and _CODE_LINE.search(text):
                kind = BlockKind.CODE
            yield from self._add(kind, line)

    def _add(self, kind: BlockKind, line: PlacedLine) -> Iterator[Block]:
        """Adds a line to the open block, or begins another one. An item goes on with the lines below it."""
        goes_on = self._open is not None and (
            self._open.kind is kind or (kind is BlockKind.PARAGRAPH and self._open.kind is BlockKind.ITEM)
        )
        if not goes_on:
            yield from self._closed()
            self._open = Block(kind, indent=_indent(line.text))
        if self._open is not None:
            plain = kind is not BlockKind.CODE
            self._open.lines.append(_from(line, len(line.text) - len(line.text.lstrip(" \t>"))) if plain else line)

    def _closed(self) -> Iterator[Block]:
        block, self._open = self._open, None
        if block is not None and block.lines:
            yield block


def _item(line: PlacedLine, found: re.Match[str], *, is_heading: bool) -> Block:
    """The beginning of an item. The word "step" stays in it, and so does emphasis that goes on behind the number.

    Below a heading or a line in bold type, all text until the next one belongs to the step: its indent is -1.
    """
    number = found["step"] or found["cjk"] or found["number"]
    if found["letter"]:
        number = str(ord(found["letter"].lower()) - ord("a") + 1)
    stays = found["step"] or found["cjk"] or (found["emphasis"] and not found[0].rstrip().endswith(("*", "_")))
    start = found.start() + len(found["indent"]) if stays else found.end()
    is_title = is_heading or (bool(found["emphasis"]) and line.text.rstrip().endswith(("*", "_")))
    indent = -1 if is_title else _indent(found["indent"])
    return Block(BlockKind.ITEM, [_from(line, start)], int(number) if number else None, indent)


def _from(line: PlacedLine, start: int) -> PlacedLine:
    return PlacedLine(line.start + start, line.end, line.text[start:])


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" \t"))
