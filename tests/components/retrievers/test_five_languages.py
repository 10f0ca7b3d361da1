"""Documents in five languages are found with the default embedder, and by words alone when it has failed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.components.embedders.zero import ZeroEmbedder
from ha_rag.components.retrievers import LexicalRetriever, LocalRetriever
from ha_rag.index import Index, ingest
from ha_rag.interfaces import Retriever
from tests.index.places import write_files
from tests.index.test_languages import QUESTIONS, TEXTS

LANGUAGES = ("en", "de", "zh", "ja", "th")
ASKED = [(question, language) for question, language in QUESTIONS if language in LANGUAGES]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("five")
    docs = write_files(folder / "docs", {f"{one}.txt": TEXTS[one] for one in LANGUAGES})
    with Index(folder / "index") as index:
        asyncio.run(ingest([docs], index, {"primary": LocalEmbedder()}))
        yield index


async def _first(retriever: Retriever, embedder: LocalEmbedder | ZeroEmbedder, question: str) -> str:
    passages = await retriever.retrieve(question, await embedder.embed(question), 3)
    return passages[0].document


@pytest.mark.parametrize(("question", "language"), ASKED)
async def test_words_alone_find_the_document_first(index: Index, question: str, language: str) -> None:
    embedder = ZeroEmbedder(dimension=256)
    assert await _first(LexicalRetriever(index), embedder, question) == f"{language}.txt"
    assert await _first(LocalRetriever(index), embedder, question) == f"{language}.txt"


@pytest.mark.parametrize(("question", "language"), ASKED)
async def test_the_default_search_finds_the_document_first(index: Index, question: str, language: str) -> None:
    assert await _first(LocalRetriever(index), LocalEmbedder(), question) == f"{language}.txt"
