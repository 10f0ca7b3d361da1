"""Paragraphs as units: sentences, lines that define something, and steps told one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ha_rag.components.extraction.clauses import with_clauses_joined
from ha_rag.components.extraction.lines import Block
from ha_rag.components.extraction.units import Unit, UnitKind
from ha_rag.components.extraction.wording import readable
from ha_rag.language.sentences import sentence_spans

LONGEST_LINE = 300
"""Characters. A definition or an item of up to this length is quoted whole, a longer one sentence by sentence."""
_DEFINES = re.compile(r"^[\s*_`]*[^\W_][^:=\n]{0,50}?[*_`]*\s*(?:[:=\uff1a]|\s[–—-])[*_`]*(?:\s+|(?<=[=\uff1a]))\S")
_CAUTION = re.compile(
    r"^(?:never|do not|don't|don’t|only (?:then|after|when|if)|unless|except|otherwise|warning|caution|important|"
    r"attention|always|must not|nie\b|niemals|nicht ohne|achtung|warnung|vorsicht|wichtig|außer)\b",
    re.IGNORECASE,
)
_SEQUENCE = re.compile(
    r"^(?:first(?:ly)?|second(?:ly)?|third(?:ly)?|then|next|after that|afterwards|finally|lastly|zuerst|dann|danach|"
    r"anschließend|schließlich|zuletzt)\b,?\s",
    re.IGNORECASE,
)
_ENDS_SEQUENCE = re.compile(r"^(?:finally|lastly|schließlich|zuletzt)\b|^(?:first|zuerst)\b", re.IGNORECASE)
Span = tuple[int, int]


def raw_text(block: Block) -> str:
    """The block's text on one line, every character at its position: blanks for prefixes and line ends."""
    parts: list[str] = []
    at = block.start
    for line in block.lines:
        parts += [" " * (line.start - at), line.text]
        at = line.start + len(line.text)
    return "".join(parts)


def prose_units(block: Block, context: str, number: int) -> Iterator[Unit]:
    """The units of a paragraph or an item."""
    if _is_lines(block):
        for line in block.lines:
            start = line.start + len(line.text) - len(line.text.lstrip())
            yield Unit(UnitKind.LINE, start, line.start + len(line.text), readable(line.text), "", context, number)
        return
    raw = raw_text(block)
    if defines(raw) and len(raw) <= LONGEST_LINE:
        yield Unit(UnitKind.LINE, block.start, block.start + len(raw.rstrip()), readable(raw), "", context, number)
        return
    spans = [(start, end) for start, end in sentence_spans(raw) if any(map(str.isalnum, raw[start:end]))]
    for start, end in _with_steps_joined(raw, with_clauses_joined(raw, spans)):
        text = readable(raw[start:end])
        cautious = bool(_CAUTION.match(text))
        yield Unit(UnitKind.SENTENCE, block.start + start, block.start + end, text, "", context, number, cautious)


def defines(text: str) -> bool:
    """Whether a text begins with a name and a colon, an equals sign or a dash, as "SEV2: customers cannot log in"."""
    return bool(_DEFINES.match(text[:120]))


def _is_lines(block: Block) -> bool:
    """Whether each line of a paragraph stands for itself."""
    return len(block.lines) > 1 and all(defines(line.text) for line in block.lines)


def _with_steps_joined(raw: str, spans: Sequence[Span]) -> list[Span]:
    """The sentences; those that tell steps one after the other ("First ... Then ... Finally ...") as one."""
    told = [at for at, (start, end) in enumerate(spans) if _SEQUENCE.match(raw[start:end])]
    if len(told) < 2 or not any(_ENDS_SEQUENCE.match(raw[spans[at][0] :]) for at in told):
        return list(spans)
    first, last = told[0], told[-1]
    if first and not raw[spans[first][0] :].lower().startswith(("first", "zuerst")):
        first -= 1
    return [*spans[:first], (spans[first][0], spans[last][1]), *spans[last + 1 :]]
