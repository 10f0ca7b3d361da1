"""An upgrade says what it costs: how many passages a service embeds again, before the first request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ha_rag.index import Index, ingest, upgrading
from ha_rag.index.report import Reembedding
from tests.index.places import OTHER, SPACE, TestEmbedder, write_files
from tests.version_0_1_0 import Version010

FILES = {f"d{n}.txt": f"alpha{n} beta{n}" for n in range(12)}
OLD_INGESTS = """
import asyncio
from pathlib import Path
from ha_rag.components.embedders.hashing import hashed
from ha_rag.index import Index, ingest
from ha_rag.messages import Embedding, Space

folder, docs, place = given

class Service:
    space = Space(*place)
    dimension = space.dimension
    async def embed(self, text):
        return (await self.embed_many([text]))[0]
    async def embed_many(self, texts):
        return [Embedding(hashed(text, self.dimension), self.space) for text in texts]

with Index(folder) as index:
    asyncio.run(ingest([Path(docs)], index, {"primary": Service()}))
print("null")
"""
PLACE = [SPACE.model, SPACE.revision, SPACE.dimension]


class InProcess(TestEmbedder):
    in_process = True


class Told:
    """What was announced, and how many requests had been made by then."""

    def __init__(self, embedder: TestEmbedder) -> None:
        self.announced: list[Reembedding] = []
        self.asked_before: list[int] = []
        self._embedder = embedder

    def __call__(self, reembedding: Reembedding) -> None:
        self.announced.append(reembedding)
        self.asked_before.append(len(self._embedder.asked))


async def _ingested(folder: Path, paths: Sequence[Path], embedder: TestEmbedder, name: str = "primary") -> Told:
    told = Told(embedder)
    with Index(folder) as index:
        await ingest(paths, index, {name: embedder}, announce=told)
    return told


@pytest.fixture
def docs(tmp_path: Path, version_0_1_0: Version010) -> Path:
    docs = write_files(tmp_path / "docs", FILES)
    version_0_1_0.run(OLD_INGESTS, str(tmp_path / "index"), str(docs), PLACE)
    return docs


async def test_the_first_ingest_says_what_a_service_embeds_again_before_it_does(tmp_path: Path, docs: Path) -> None:
    embedder = TestEmbedder()
    told = await _ingested(tmp_path / "index", [docs], embedder)
    assert told.announced == [Reembedding("primary", len(FILES))]
    assert told.asked_before == [0]
    assert sum(embedder.asked) == len(FILES)
    assert "up to 12 passages are embedded again by embedder primary" in str(told.announced[0])


async def test_the_second_one_has_nothing_to_say(tmp_path: Path, docs: Path) -> None:
    await _ingested(tmp_path / "index", [docs], TestEmbedder())
    embedder = TestEmbedder()
    assert (await _ingested(tmp_path / "index", [docs], embedder)).announced == []
    assert embedder.asked == []


async def test_what_is_not_read_again_is_not_counted_and_is_said_when_it_is(tmp_path: Path, docs: Path) -> None:
    told = await _ingested(tmp_path / "index", [docs / "d1.txt"], TestEmbedder())
    assert told.announced == [Reembedding("primary", 1)]
    told = await _ingested(tmp_path / "index", [docs], TestEmbedder())
    assert told.announced == [Reembedding("primary", len(FILES) - 1)]


async def test_an_embedder_in_the_process_costs_nothing_to_speak_of(tmp_path: Path, docs: Path) -> None:
    assert (await _ingested(tmp_path / "index", [docs], InProcess())).announced == []


async def test_an_embedder_that_never_embedded_them_is_no_upgrade(tmp_path: Path, docs: Path) -> None:
    assert (await _ingested(tmp_path / "index", [docs], TestEmbedder(OTHER), "other")).announced == []


async def test_a_new_index_has_nothing_to_embed_again(tmp_path: Path) -> None:
    docs = write_files(tmp_path / "docs", FILES)
    for _ in range(2):
        assert (await _ingested(tmp_path / "index", [docs], TestEmbedder())).announced == []
    write_files(docs, {"d1.txt": "changed by its author"})
    assert (await _ingested(tmp_path / "index", [docs], TestEmbedder())).announced == []


async def test_a_later_upgrade_says_it_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = write_files(tmp_path / "docs", FILES)
    await _ingested(tmp_path / "index", [docs], TestEmbedder())
    monkeypatch.setattr(upgrading, "MADE_BY", "later")
    told = await _ingested(tmp_path / "index", [docs], TestEmbedder())
    assert told.announced == [Reembedding("primary", len(FILES))]
