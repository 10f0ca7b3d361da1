"""Lists as units: a list of steps whole, the items of another one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ha_rag.components.extraction.lines import Block, BlockKind
from ha_rag.components.extraction.prose import LONGEST_LINE, prose_units, raw_text
from ha_rag.components.extraction.table_units import row_unit
from ha_rag.components.extraction.units import Unit, UnitKind
from ha_rag.components.extraction.wording import readable

_OF_STEPS = re.compile(
    r"\b(?:steps?|in (?:this|the following) order|procedure|checklist|as follows|how to|in order|do the following|"
    r"follow these|schritte?|reihenfolge|wie folgt|so gehen sie vor)\b|^(?:to|um)\s",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"[^\W\d_]{0,14}\s*\d{1,3}\s*(?:[.:)\uff1a–—-]|步|$)")
_ROW = re.compile(r"^[^:;]{1,80}: [^;]*; ")


def list_length(blocks: Sequence[Block], at: int) -> int:
    """How many blocks belong to the list that begins at `at`: its items, and what is indented or between them."""
    first = blocks[at]
    number, end = first.number, at + 1
    for here in range(at + 1, len(blocks)):
        block = blocks[here]
        if block.kind is BlockKind.HEADING:
            break
        if block.kind is BlockKind.ITEM and _continues(block, first, number):
            number = block.number if block.indent <= first.indent else number
            end = here + 1
        elif block.indent > first.indent and here == end:
            end = here + 1
        elif block.kind is BlockKind.ITEM or first.number is None:
            break
    return end - at


def _continues(block: Block, first: Block, number: int | None) -> bool:
    if block.indent > first.indent:
        return True
    if number is None or block.number is None:
        return number is None and block.number is None
    return block.number in (number + 1, 1, number)  # every item may be numbered 1


def list_units(blocks: Sequence[Block], lead: str, context: str, number: int) -> Iterator[Unit]:
    """The units of a list. `lead`: the sentence that introduces it."""
    if blocks[0].number is not None or (len(blocks) > 1 and is_of_steps(lead or _last(context))):
        text = "\n".join(_step_lines(blocks))
        yield Unit(UnitKind.STEPS, blocks[0].start, blocks[-1].end, text, lead, context, number)
        return
    about = "\n".join(filter(None, (context, lead)))
    parent = ""
    for at, block in enumerate(blocks):
        above = f"{about}\n{parent}" if parent and block.indent > blocks[0].indent else about
        yield from (replace(unit, group=number) for unit in _item_units(block, above, number + at))
        if block.indent <= blocks[0].indent:
            parent = readable(raw_text(block))


def is_of_steps(lead: str) -> bool:
    """Whether a sentence or heading introduces steps whose order matters."""
    return bool(_OF_STEPS.search(lead))


def _last(context: str) -> str:
    return context.rsplit("\n", 1)[-1]


def _item_units(block: Block, context: str, number: int) -> Iterator[Unit]:
    raw = raw_text(block)
    if block.kind is BlockKind.CODE:
        text = "\n".join(line.text for line in block.lines)
        yield Unit(UnitKind.CODE, block.start, block.end, text, "", context, number)
    elif _ROW.match(raw):
        yield row_unit(
            Unit(UnitKind.ROW, block.start, block.start + len(raw.rstrip()), readable(raw), "", context, number)
        )
    elif len(raw) <= LONGEST_LINE:
        yield Unit(UnitKind.LINE, block.start, block.start + len(raw.rstrip()), readable(raw), "", context, number)
    else:
        yield from prose_units(block, context, number)


def _step_lines(blocks: Sequence[Block]) -> Iterator[str]:
    first = blocks[0]
    for block in blocks:
        pad = "   " if block.indent > first.indent else ""
        if block.kind is BlockKind.ITEM:
            mark = f"{block.number}. " if block.number is not None else "- "
            text = readable(raw_text(block))
            yield f"{pad}{text if _NUMBERED.match(text) else mark + text}"
        elif block.kind is BlockKind.CODE:
            yield from (f"   {line.text.strip()}" for line in block.lines)
        else:
            yield f"   {readable(raw_text(block))}"
