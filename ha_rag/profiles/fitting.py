"""Whether a profile is about this index, these components and this version: if not, it is said and not used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ha_rag.profiles.corpus import CorpusVersion
from ha_rag.profiles.profile import ComponentMark, QualityProfile

SAME_CORPUS = 0.9
"""The share of documents that must be as they were; below it the figures are of another corpus."""


@dataclass(frozen=True, slots=True)
class Present:
    """What a profile must be about: the documents, the configured components by circuit, and the version."""

    corpus: CorpusVersion
    components: Mapping[str, ComponentMark]
    ha_rag: str


def misfits(profile: QualityProfile, present: Present) -> tuple[str, ...]:
    """Why the profile is not used, as sentences without a full stop; empty if it is."""
    return tuple(_misfits(profile, present))


def _misfits(profile: QualityProfile, present: Present) -> Iterator[str]:
    if profile.ha_rag != present.ha_rag:
        yield f"it was measured with version {profile.ha_rag}, and this is {present.ha_rag}"
    shared = profile.corpus.shared(present.corpus)
    if shared < SAME_CORPUS:
        yield (
            f"it was measured on another corpus: of its {profile.corpus.documents:,} documents and the "
            f"{present.corpus.documents:,} here {100 * shared:.0f} % are the same"
        )
    for circuit, mark in present.components.items():
        measured = profile.components.get(circuit)
        if measured is None:
            yield f"{circuit} was not measured"
        elif measured.kind != mark.kind:
            yield f"{circuit} was of the kind {measured.kind}, and is {mark.kind}"
        elif measured.detail != mark.detail:
            yield f"{circuit} was {measured.detail}, and is {mark.detail}"
