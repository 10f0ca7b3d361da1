"""Reads Org files as Markdown, line by line: headings, code, tables and the texts of links are kept."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from ha_rag.index.reading.blobs import without_blobs
from ha_rag.index.reading.decoding import decoded
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.fences import fenced
from ha_rag.index.reading.tables import table_lines, with_header

_STATES = "|".join(("TO" + "DO", "DONE", "NEXT", "WAITING", "CANCELLED"))
_HEADING = re.compile(rf"^(\*{{1,60}})[ \t]+(?:(?:{_STATES})[ \t]+)?(?:\[#\w\][ \t]+)?(\S.*)$")
_TAGS = re.compile(r"[ \t]+:[\w@:]{1,200}:$")
_SETTING = re.compile(r"^#\+(\w{1,60}):[ \t]*(.*)$")
_BLOCK = re.compile(r"^\s*#\+begin_(\w{1,40})(?:[ \t]+([\w+-]{1,40}))?.*$", re.IGNORECASE)
_CODE = frozenset({"src", "example", "export"})
_DRAWER = re.compile(r"^\s*:[\w-]{1,60}:\s*$")
_END = re.compile(r"^\s*(?:#\+end_(\w{1,40})|:END:)\s*$", re.IGNORECASE)
DRAWER = ":"
_PROPERTIES = re.compile(r"^\s*:(?:PROPERTIES|LOGBOOK):\s*$", re.IGNORECASE)
_COMMENT = re.compile(r"^\s*#(?:\s|$)")
_ROW, _RULE = re.compile(r"^\s*\|(?![-+])"), re.compile(r"^\s*\|[-+]+")
_LINK = re.compile(r"\[\[([^\[\]]{1,1000})\](?:\[([^\[\]]{1,1000})\])?\]")


def read_org(file: RawFile) -> Extract:
    """The text of an Org file. Raises UnreadableDocumentError."""
    found = decoded(file)
    text, left_out = without_blobs(found.text)
    metadata: dict[str, object] = {}
    lines = list(_lines(text.splitlines(), metadata))
    title = str(metadata.get("title") or next((line.lstrip("# ") for line in lines if line.startswith("#")), ""))
    return Extract(
        text="\n".join(lines), title=title, metadata=metadata, notices=(*found.notices, *left_out),
        guessed=found.guessed,
    )  # fmt: skip


def _lines(lines: Sequence[str], metadata: dict[str, object]) -> Iterator[str]:
    at, ends = 0, _Ends(lines)
    while at < len(lines):
        line = lines[at].rstrip()
        block = _BLOCK.match(line)
        if block is not None and block[1].lower() in (*_CODE, "comment"):
            end = ends.after(at, block[1].lower())
            yield from fenced(block[2] or "", lines[at + 1 : end]) if block[1].lower() in _CODE else ()
            at = end
        elif _PROPERTIES.match(line):
            at = ends.after(at, DRAWER)
        elif _ROW.match(line) or _RULE.match(line):
            end = next((n for n in range(at, len(lines)) if not lines[n].lstrip().startswith("|")), len(lines))
            yield from _table([row for row in lines[at:end] if _ROW.match(row)])
            at = end - 1
        elif line.lstrip().startswith(": "):
            end = next((n for n in range(at, len(lines)) if not lines[n].lstrip().startswith(":")), len(lines))
            yield from fenced("", [row.lstrip()[2:] for row in lines[at:end]])
            at = end - 1
        else:
            yield from _one(line, metadata)
        at += 1


class _Ends:
    """Where blocks and drawers end. Takes time linear in the number of lines, however many blocks are left open."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._at: dict[str, list[int]] = {}
        for at, line in enumerate(lines):
            if found := _END.match(line):
                self._at.setdefault((found[1] or DRAWER).lower(), []).append(at)

    def after(self, start: int, kind: str) -> int:
        """The line that ends what begins at `start`; that line itself if nothing does, so that nothing is lost."""
        ends = self._at.get(kind, [])
        found = bisect_right(ends, start)
        return ends[found] if found < len(ends) else start


def _one(line: str, metadata: dict[str, object]) -> Iterator[str]:
    heading, setting = _HEADING.match(line), _SETTING.match(line)
    if heading:
        yield from ("", f"{'#' * min(6, len(heading[1]))} {_inline(_TAGS.sub('', heading[2]))}", "")
    elif setting:
        if setting[2].strip():
            metadata.setdefault(setting[1].lower(), setting[2].strip()[:1000])
    elif not (_COMMENT.match(line) or _DRAWER.match(line) or line.lstrip().lower().startswith(("#+begin_", "#+end_"))):
        yield _inline(line)


def _table(rows: Sequence[str]) -> Iterator[str]:
    cells = [[_inline(cell.strip()) for cell in row.strip().strip("|").split("|")] for row in rows]
    header, rest = with_header(cells)
    yield from ("", *table_lines(rest, header), "")


def _inline(text: str) -> str:
    """Text with links replaced by what they show."""
    return _LINK.sub(lambda found: found[2] or found[1], text) if "[[" in text else text
