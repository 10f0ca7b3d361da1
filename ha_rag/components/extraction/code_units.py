"""Code as units: commands and programs whole, settings line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ha_rag.components.extraction.lines import Block, PlacedLine
from ha_rag.components.extraction.units import Unit, UnitKind

_SETTING = re.compile(r"^\s*(?:export\s+)?[\w.\[\]\"'-]+\s*(?:=|:)\s*\S")
_COMMENT = re.compile(r"^\s*(?:#|//|;|--)")
_SECTION = re.compile(r"^\s*\[[^\]]+\]\s*$|^\s*[\w.-]+:\s*$")


def code_units(block: Block, lead: str, context: str, number: int) -> Iterator[Unit]:
    """The units of a block of code. `lead`: the sentence that introduces it."""
    lines = [line for line in block.lines if line.text.strip()]
    told = [line for line in lines if not _COMMENT.match(line.text) and not _SECTION.match(line.text)]
    if len(told) > 1 and all(_SETTING.match(line.text) for line in told):
        yield from _settings(lines, "\n".join(filter(None, (context, lead))), number)
        return
    text = "\n".join(line.text for line in block.lines).strip("\n")
    yield Unit(UnitKind.CODE, block.start, block.end, text, lead, context, number)


def _settings(lines: list[PlacedLine], context: str, number: int) -> Iterator[Unit]:
    """Each setting with the comments and the section above it."""
    above: list[PlacedLine] = []
    section = ""
    for line in lines:
        if _SECTION.match(line.text):
            section = line.text.strip()
        elif _COMMENT.match(line.text):
            above.append(line)
        else:
            first = above[0] if above else line
            text = "\n".join(part.text.strip() for part in (*above, line))
            yield Unit(UnitKind.CODE, first.start, line.end, text, "", f"{context}\n{section}", number)
            above = []
