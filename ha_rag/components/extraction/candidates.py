"""Candidates: the units of all passages that were found, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ha_rag.components.extraction.parts import Part, read_parts
from ha_rag.messages import Passage

KEPT_PASSAGES = 4096
"""In each place among the results. Each takes some 1 KB beside its parts, which are kept by themselves."""


@dataclass(frozen=True, slots=True)
class Candidate(Part):
    """A part of a passage. `n`: the passage's number, from 1. `at`: the part's position in it, from 0."""

    n: int
    at: int
    language: str
    document: str


def candidates_of(passages: Sequence[Passage]) -> list[Candidate]:
    """Everything that can be quoted, in order."""
    found: list[Candidate] = []
    for n, passage in enumerate(passages, start=1):
        found += _of_passage(n, passage.document, passage.title, passage.heading, passage.text)
    return found


@lru_cache(maxsize=KEPT_PASSAGES)
def _of_passage(n: int, document: str, title: str, heading: str, text: str) -> tuple[Candidate, ...]:
    read = read_parts(title, heading, text)
    return tuple(
        Candidate(
            part.unit,
            part.terms,
            part.above,
            part.answers,
            part.characters,
            part.speaks_to_a_model,
            n,
            at,
            read.language,
            document,
        )
        for at, part in enumerate(read.parts)
    )
