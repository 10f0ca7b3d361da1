"""Numbered headings below the name of a procedure as steps: "Changing the filter", "1. Switch off", "2. Open it"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ha_rag.components.extraction.item_lists import is_of_steps
from ha_rag.components.extraction.lines import Block, BlockKind
from ha_rag.components.extraction.prose import raw_text

LONGEST_STEP = 600
"""Characters. Longer sections are chapters."""
_NUMBERED = re.compile(r"^(\d{1,2})(?:[.):]\s+|\s+[-–—]\s+)(?=\S)")
_NAMES_A_PROCEDURE = re.compile(
    r"\b\w{2,}ing\b|\b(?:installation|setup|set-up|upgrade|update|migration|deployment|procedure|restore|recovery|"
    r"rollback|failover|onboarding|offboarding|removal|replacement|checklist|tutorial|quick ?start|how to|guide|"
    r"anleitung|einrichtung|"
    r"inbetriebnahme|wiederherstellung|austausch|ablauf|\w{4,}(?:en|eln|ern))\b",
    re.IGNORECASE,
)


def with_step_headings(blocks: Sequence[Block], heading: str) -> Iterator[Block]:
    """The blocks; numbered headings of a procedure, from 1 on, as items. `heading`: what the first stands under."""
    above: list[tuple[int, str]] = [(0, heading)]
    at = 0
    while at < len(blocks):
        block = blocks[at]
        run = _run(blocks, at) if _number(block) == 1 else []
        if block.kind is BlockKind.HEADING:
            above = [one for one in above if one[0] < (block.number or 1)]
        if len(run) > 1 and above and _is_procedure(above[-1][1]) and _are_short(blocks, run):
            end = _end(blocks, run[-1])
            yield from (_item(blocks[here]) if here in run else blocks[here] for here in range(at, end))
            at = end
            continue
        if block.kind is BlockKind.HEADING:
            above.append((block.number or 1, raw_text(block)))
        yield block
        at += 1


def _run(blocks: Sequence[Block], first: int) -> list[int]:
    """Where the numbered headings are that follow each other from `first` on, at its level."""
    found = [first]
    for at in range(first + 1, len(blocks)):
        block = blocks[at]
        if block.kind is not BlockKind.HEADING:
            continue
        if block.number != blocks[first].number or _number(block) != len(found) + 1:
            break
        found.append(at)
    return found


def _number(block: Block) -> int | None:
    if block.kind is not BlockKind.HEADING or raw_text(block).rstrip().endswith(("?", "\uff1f")):
        return None
    found = _NUMBERED.match(raw_text(block))
    return int(found[1]) if found else None


def _is_procedure(name: str) -> bool:
    return is_of_steps(name) or bool(_NAMES_A_PROCEDURE.search(name))


def _are_short(blocks: Sequence[Block], run: Sequence[int]) -> bool:
    ends = [*run[1:], _end(blocks, run[-1])]
    return all(blocks[end - 1].end - blocks[start].start <= LONGEST_STEP for start, end in zip(run, ends, strict=True))


def _end(blocks: Sequence[Block], last: int) -> int:
    """Where the section that begins at `last` ends."""
    later = range(last + 1, len(blocks))
    return next((at for at in later if blocks[at].kind is BlockKind.HEADING), len(blocks))


def _item(heading: Block) -> Block:
    """A step with all that is below it."""
    return Block(BlockKind.ITEM, heading.lines, _number(heading), -1)
