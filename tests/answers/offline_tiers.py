"""The tiers that answer without any service: generators, also with what they are given when embedders are out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ha_rag.components.embedders.hashing import HashingEmbedder
from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.components.embedders.zero import ZeroEmbedder
from ha_rag.components.generators.extractive import ExtractiveGenerator
from ha_rag.components.generators.prompt import chat_messages
from ha_rag.components.generators.scripted import FallbackGenerator, PrimaryGenerator
from ha_rag.components.retrievers import LexicalRetriever, LocalRetriever, ReducedLocalRetriever
from ha_rag.index import Index, ingest
from ha_rag.interfaces import Embedder, Generator, Retriever
from ha_rag.messages import Generation, Passage
from ha_rag.simulation.chat import answer_to
from tests.answers.judging import HandbookQuestion

TIERS = ("extractive", "words alone", "hashing", "no embedder", "reduced", "primary", "fallback", "simulated")


@dataclass(frozen=True, slots=True)
class Found:
    """Questions about one set of documents, and the index of these. `name`: of the set."""

    name: str
    questions: list[HandbookQuestion]
    index: Index


class _SimulatedGenerator:
    """The simulated provider's answer to our prompt."""

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        return Generation(answer_to(str(chat_messages(question, passages)[-1]["content"])))


@contextmanager
def indexed(folder: Path, documents: Path) -> Iterator[Index]:
    """An index of `documents` with the embedders inside the process."""
    with Index(folder) as index:
        asyncio.run(ingest([documents], index, {"local": LocalEmbedder(), "hashing": HashingEmbedder()}))
        yield index


async def found_by(tier: str, questions: Sequence[HandbookQuestion], index: Index) -> list[list[Passage]]:
    """The three passages of each question."""
    embedder, retriever = _search(tier, index)
    return [list(await retriever.retrieve(one.ask, await embedder.embed(one.ask), 3)) for one in questions]


def _search(tier: str, index: Index) -> tuple[Embedder, Retriever]:
    if tier == "hashing":
        return HashingEmbedder(), LocalRetriever(index)
    if tier == "no embedder":
        return ZeroEmbedder(256), LexicalRetriever(index)
    if tier == "reduced":
        return LocalEmbedder(), ReducedLocalRetriever(index)
    return LocalEmbedder(), LocalRetriever(index)


async def said_by(tier: str, questions: Sequence[HandbookQuestion], found: Sequence[Sequence[Passage]]) -> list[str]:
    """The answers."""
    generator = _generator(tier)
    return [(await generator.generate(one.ask, passages)).text for one, passages in zip(questions, found, strict=True)]


def _generator(tier: str) -> Generator:
    generators: dict[str, Generator] = {
        "words alone": ExtractiveGenerator(),
        "primary": PrimaryGenerator(),
        "fallback": FallbackGenerator(),
        "simulated": _SimulatedGenerator(),
    }
    return generators.get(tier) or ExtractiveGenerator(embedder=LocalEmbedder())
