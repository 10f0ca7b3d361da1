"""Candidates: the units of all passages that were found, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ha_rag.components.extraction.parts import Part, parts_of
from ha_rag.messages import Passage


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
        read = parts_of(passage)
        found += [
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
                passage.document,
            )
            for at, part in enumerate(read.parts)
        ]
    return found
