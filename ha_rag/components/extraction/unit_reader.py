"""Reads the blocks of a passage as units: what belongs together is one, and each knows what stands above it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ha_rag.components.extraction.code_units import code_units
from ha_rag.components.extraction.item_lists import list_length, list_units
from ha_rag.components.extraction.lines import Block, BlockKind, blocks_in
from ha_rag.components.extraction.prose import prose_units, raw_text
from ha_rag.components.extraction.step_headings import with_step_headings
from ha_rag.components.extraction.table_units import table_units
from ha_rag.components.extraction.units import Unit, UnitKind
from ha_rag.components.extraction.wording import readable
from ha_rag.language.sentences import sentence_spans

LONGEST_ANSWER = 500
"""Characters. The paragraph below a question is quoted whole up to this length."""
_ASKS = re.compile(r"^[\s*_]*(?:q|question|f|frage)\s*\d*\s*[:.)][*_]*\s+", re.IGNORECASE)
_ANSWERS = re.compile(r"^[\s*_]*(?:a|answer|antwort)\s*\d*\s*[:.)][*_]*\s+", re.IGNORECASE)
_QUESTION_ENDS = ("?", "\uff1f", "؟")


def read_units(text: str, heading: str) -> Iterator[Unit]:
    """The units of a passage in order. `heading`: what its beginning stands under, or ""."""
    return _UnitReader(text, heading).units()


class _UnitReader:
    def __init__(self, text: str, heading: str) -> None:
        self._blocks: Sequence[Block] = list(with_step_headings(list(_questions_apart(blocks_in(text))), heading))
        self._heading = heading
        self._question = heading if is_question(heading) else ""
        self._lead = self._last_sentence = ""
        self._last_answer = -1
        self._above: list[tuple[int, str]] = []

    def units(self) -> Iterator[Unit]:
        at = 0
        while at < len(self._blocks):
            block = self._blocks[at]
            length = 1
            if block.kind is not BlockKind.CODE:
                self._last_sentence = ""
            if 0 <= self._last_answer < at:
                self._end_answer()
            if block.kind is BlockKind.HEADING:
                self._begin_section(readable(raw_text(block)), block.number or 1)
            elif block.kind is BlockKind.ITEM:
                length = list_length(self._blocks, at)
                yield from list_units(self._blocks[at : at + length], self._lead, self._context(), at)
                self._lead = ""
            elif block.kind is BlockKind.CODE:
                yield from code_units(block, self._lead, self._above_code(), at)
                self._lead = ""
            elif block.kind is BlockKind.TABLE:
                yield from table_units(block, self._lead, self._context(), at)
                self._lead = ""
            else:
                yield from self._paragraph(block, at)
            at += length

    def _begin_section(self, title: str, level: int) -> None:
        self._above = [(depth, name) for depth, name in self._above if depth < level]
        self._above.append((level, title))
        self._heading, self._lead = title, ""
        self._question = title if is_question(title) else ""
        self._last_answer = -1

    def _end_answer(self) -> None:
        """Forgets a question that is not a heading: one block answers it, and the list that it introduces."""
        self._question = self._heading if is_question(self._heading) else ""
        self._last_answer = -1

    def _context(self) -> str:
        """The headings above, the nearest one last, and the question that is being answered."""
        names = [name for _, name in self._above] or [self._heading]
        if self._question and self._question != names[-1]:
            names.append(self._question)
        return "\n".join(filter(None, names))

    def _above_code(self) -> str:
        """The context of code: also the sentence before it, which often says what it does."""
        return "\n".join(filter(None, (self._context(), "" if self._lead else self._last_sentence)))

    def _paragraph(self, block: Block, at: int) -> Iterator[Unit]:
        raw = raw_text(block)
        asked = _asked_in(raw)
        if asked and at + 1 < len(self._blocks):
            self._question, self._last_answer = asked, at + 1
            return
        answers = _ANSWERS.match(raw)
        if answers:
            block = _without_prefix(block, answers.end())
            raw = raw_text(block)
        following = self._blocks[at + 1] if at + 1 < len(self._blocks) else None
        if following is not None and following.kind is BlockKind.CODE:
            self._last_sentence = _last_sentence(raw)
        self._lead = _lead_in(raw) if following is not None else ""
        if self._lead and self._last_answer == at:
            self._last_answer = at + 1
        if self._question and len(raw) <= LONGEST_ANSWER and not self._lead:
            yield Unit(
                UnitKind.ANSWER, block.start, block.start + len(raw.rstrip()), readable(raw), "", self._context(), at
            )
            return
        for unit in prose_units(block, self._context(), at):
            if not (self._lead and unit.text == self._lead):
                yield unit


def is_question(text: str) -> bool:
    """Whether a text ends as a question does."""
    return text.rstrip(" *_").endswith(_QUESTION_ENDS)


def _asked_in(raw: str) -> str:
    """The question, if a paragraph is nothing else."""
    prefix = _ASKS.match(raw)
    if prefix:
        return readable(raw[prefix.end() :])
    return readable(raw) if is_question(raw) and len(sentence_spans(raw)) == 1 else ""


def _lead_in(raw: str) -> str:
    """The sentence at the end of a paragraph that introduces what follows, or ""."""
    return _last_sentence(raw) if raw.rstrip(" *_").endswith((":", "\uff1a")) else ""


def _last_sentence(raw: str) -> str:
    start, end = sentence_spans(raw)[-1]
    return readable(raw[start:end])


def _without_prefix(block: Block, length: int) -> Block:
    first = block.lines[0]
    kept = replace(first, start=first.start + length, text=first.text[length:])
    return Block(block.kind, [kept, *block.lines[1:]], block.number, block.indent)


def _questions_apart(blocks: Sequence[Block]) -> Iterator[Block]:
    """The blocks, with a line "Q: ..." and the line "A: ..." below it as two."""
    for block in blocks:
        if block.kind is not BlockKind.PARAGRAPH:
            yield block
            continue
        start = 0
        for at, line in enumerate(block.lines):
            whole = " ".join(line.text.split())
            begins = _ASKS.match(whole) or _ANSWERS.match(whole) or (at and is_question(block.lines[at - 1].text) and (
                at - start == 1))  # fmt: skip
            if at > start and begins:
                yield Block(block.kind, block.lines[start:at], None, block.indent)
                start = at
        yield Block(block.kind, block.lines[start:], None, block.indent)
