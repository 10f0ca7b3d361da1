"""What can be quoted from a passage, with what is compared with questions: read once and kept.

Passages are retrieved again and again, and reading one takes longer than answering from it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ha_rag.components.extraction.asked import passage_language, terms_in
from ha_rag.components.extraction.injected import speaks_to_a_model
from ha_rag.components.extraction.units import Unit, UnitKind, units_of
from ha_rag.messages import Passage

KEPT_PASSAGES = 2048
"""Each takes some 20 KB."""
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Part:
    """A unit of a passage.

    `terms`: the unit's; `above`: those of headings and of what introduces it; `answers`: those of the question that
    it answers, if it stands below one; `characters`: Chinese ones.
    """

    unit: Unit
    terms: frozenset[str]
    above: frozenset[str]
    answers: frozenset[str]
    characters: frozenset[str]
    speaks_to_a_model: bool


@dataclass(frozen=True, slots=True)
class PassageParts:
    """All that can be quoted of one passage, in order. `terms`: of the passage, its title and its headings."""

    language: str
    parts: tuple[Part, ...]
    terms: frozenset[str]


def parts_of(passage: Passage) -> PassageParts:
    """The parts of a passage."""
    return read_parts(passage.title, passage.heading, passage.text)


@lru_cache(maxsize=KEPT_PASSAGES)
def read_parts(title: str, heading: str, text: str) -> PassageParts:
    """The parts of a passage with this title, heading and text."""
    language = passage_language(text)
    top = terms_in(f"{title}\n{heading}", language)
    may_be_poisoned = speaks_to_a_model(text)
    parts = [_part(unit, top, language, may_be_poisoned) for unit in units_of(text, heading)]
    return PassageParts(language, tuple(parts), top.union(*_terms(parts)))


def _part(unit: Unit, top: frozenset[str], language: str, may_be_poisoned: bool) -> Part:
    above = top | terms_in(f"{unit.context}\n{unit.lead}", language)
    answers = terms_in(unit.context.rsplit("\n", 1)[-1], language) if unit.kind is UnitKind.ANSWER else frozenset()
    poisoned = may_be_poisoned and speaks_to_a_model(unit.text)
    return Part(unit, terms_in(unit.text, language), above, answers, characters_of(unit.text), poisoned)


def _terms(parts: Sequence[Part]) -> list[frozenset[str]]:
    """What readers are told: poison answers no question."""
    told = (part for part in parts if not part.speaks_to_a_model)
    return [terms for part in told for terms in (part.terms, part.above)]


def characters_of(text: str) -> frozenset[str]:
    """The Chinese characters of a text. Each means something; a question often puts two together that a text parts."""
    return frozenset() if text.isascii() else frozenset(_HAN.findall(text))
