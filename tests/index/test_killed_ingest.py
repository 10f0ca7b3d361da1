"""kill -9 at random moments of an ingest, then the next one: nothing lost, nothing doubled, nothing stale."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from ha_rag.index import Index
from ha_rag.index.schema import DATABASE
from ha_rag.index.single_document import add_document
from tests.index.killed_ingest import Folder, fresh, killed, run
from tests.index.places import found

TOLD = "told"


@dataclass(frozen=True)
class Content:
    """All that can be found: documents with source and digest, passages, the number of vectors, and what words find."""

    documents: list[tuple[object, ...]]
    passages: list[tuple[object, ...]]
    vectors: object
    answers: dict[str, set[str]]


def content(index: Index, words: list[str]) -> Content:
    """What is in the index, except for what was added over HTTP."""
    index.refresh()
    assert index.problem is None
    with closing(sqlite3.connect(index.folder / DATABASE)) as database:

        def rows(query: str) -> list[tuple[object, ...]]:
            return database.execute(query, (TOLD,)).fetchall()

        documents = rows("SELECT id, source, digest FROM documents WHERE id <> ? ORDER BY id")
        passages = rows("SELECT document, number, text FROM passages WHERE document <> ? ORDER BY document, number")
        (vectors,) = rows("SELECT count(*) FROM vectors JOIN passages ON passage = row WHERE document <> ?")[0]
    answers = {word: {name for name in found(index, word, 50) if name != TOLD} for word in words}
    return Content(documents, passages, vectors, answers)


async def kill_and_compare(folder: Path, seed: int, moments: int) -> int:
    """Kills that many ingests, each after edits; compares every next one with a clean one. How many were killed."""
    dice = random.Random(seed)
    docs = Folder(folder / "docs", dice)
    number = 0
    with Index(folder / "index") as index:
        await add_document(index, {}, TOLD, "Bees hum.", "", {})
        _, usual_s = killed(folder / "other", docs.path, 100, 1, mirror=False)
        for moment in range(moments):
            share, mirror = dice.random(), dice.random() < 0.5
            was_killed, usual_s = killed(index.folder, docs.path, share, usual_s, mirror=mirror)
            number += was_killed
            index.refresh()
            assert index.problem is None, f"moment {moment} of seed {seed}"
            assert found(index, "bees") == [TOLD]
            if dice.random() < 0.5:
                docs.edit()
            await run(index, docs.path, mirror=True)
            with Index(fresh(folder / "clean")) as clean:
                await run(clean, docs.path, mirror=False)
                wanted = content(clean, docs.words)
            assert content(index, docs.words) == wanted, f"moment {moment} of seed {seed}"
            assert found(index, "bees") == [TOLD]
            docs.edit()
    return number


async def test_an_ingest_after_a_killed_one_is_like_a_clean_one(tmp_path: Path) -> None:
    assert await kill_and_compare(tmp_path, seed=17, moments=5) > 0


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_an_ingest_after_a_killed_one_is_like_a_clean_one_at_fifty_moments(tmp_path: Path) -> None:
    killed_ones = await kill_and_compare(tmp_path, seed=18, moments=50)
    print(f"{killed_ones} of 50 were killed before they ended")
    assert killed_ones > 25
