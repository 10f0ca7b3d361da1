"""Whole replicas whose index is damaged, restored from a backup, or cannot be read."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fleet.processes import HA_RAG, START_S, Replica, until_ready

CONFIGURATION = """\
[index]
path = "{index}"

[[embedders]]
name = "hashing"
kind = "hashing"

[[retrievers]]
name = "primary"
kind = "local"

[[retrievers]]
name = "lexical"
kind = "lexical"

[[generators]]
name = "extractive"
kind = "extractive"
"""
TEXTS = {f"animal{n}.md": f"# Animal {n}\n\nThe zebra{n} grazes beside the river{n}.\n" for n in range(12)}
WITHIN_S = 20.0


class Site:
    """A folder with documents, their index and a configuration, and the replicas that serve it."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        self.index = folder / "index"
        self.documents = folder / "documents"
        self._folder, self._session, self._stack = folder, session, stack
        self._config = folder / "ha_rag.toml"
        self._config.write_text(CONFIGURATION.format(index=self.index))
        self.documents.mkdir()
        for name, text in TEXTS.items():
            (self.documents / name).write_text(text)

    async def run(self, *words: str) -> tuple[int, str]:
        """Runs `ha-rag` with this configuration; its status and output."""
        process = await asyncio.create_subprocess_exec(
            *HA_RAG, *words, "--config", str(self._config), stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async def ingest(self) -> None:
        status, output = await self.run("ingest", str(self.documents))
        assert status == 0, output

    def started(self, name: str) -> Replica:
        """A replica that has been started, but may not be ready."""
        replica = Replica(name, self._folder, self._config)
        replica.reached_by(self._session)
        replica.start()
        self._stack.callback(replica.stop)
        return replica

    async def replica(self, name: str) -> Replica:
        """A replica that is ready."""
        replica = self.started(name)
        await until_ready(replica.ready, replica)
        return replica

    async def readiness(self, replica: Replica) -> tuple[int, dict[str, Any]]:
        """The reply of /health/ready, once the replica listens."""
        async with asyncio.timeout(START_S):
            while True:
                try:
                    async with self._session.get(f"{replica.url}/health/ready") as reply:
                        return reply.status, await reply.json()
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)

    def files(self) -> list[Path]:
        return sorted(file for file in self.index.rglob("*") if file.is_file() and not file.name.endswith(".lock"))

    def words(self) -> list[Path]:
        return sorted(self.index.glob("words-*/*.term"))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        site = Site(tmp_path, session, stack)
        await site.ingest()
        yield site


async def answered(replica: Replica, number: int) -> bool:
    """Whether a question about that animal is answered in full, from its document."""
    reply = await replica.ask(f"Where does the zebra{number} graze?")
    return not reply["degraded"] and reply["citations"][0]["document"].endswith(f"animal{number}.md")


def cut(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(0)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    if content:
        content[len(content) // 2] ^= 1
        with file.open("r+b") as opened:
            opened.write(content)


DAMAGES: dict[str, Callable[[Path], None]] = {"cut to nothing": cut, "flipped": flip, "deleted": Path.unlink}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_replicas_answer_in_full_whatever_is_done_to_the_files_of_their_index(site: Site, damage: str):
    replica = await site.replica("rag-1")
    done = asyncio.Event()

    async def load() -> int:
        asked = 0
        while not done.is_set():
            assert await answered(replica, asked % len(TEXTS))
            asked += 1
        return asked

    loads = [asyncio.create_task(load()) for _ in range(4)]
    for file in site.files():
        DAMAGES[damage](file)
        assert all([await answered(replica, number) for number in range(len(TEXTS))]), file
    done.set()
    assert sum(await asyncio.gather(*loads)) > 0
    assert replica.runs


async def test_a_replica_that_starts_with_a_damaged_word_index_answers_in_full_and_an_ingest_mends_it(site: Site):
    for file in site.words():
        flip(file)
    replica = await site.replica("rag-1")
    assert await answered(replica, 3)
    told = await replica.health()
    assert told["status"] == "degraded"
    assert any("does not match its checksum" in reason and "ha-rag ingest" in reason for reason in told["reasons"])
    status, output = await site.run("check")
    assert status == 1
    assert "does not match its checksum" in " ".join(output.split())
    await site.ingest()
    async with asyncio.timeout(WITHIN_S):
        while (await replica.health())["status"] != "ok":
            await asyncio.sleep(0.1)
    assert await answered(replica, 3)
    assert (await site.run("check"))[0] == 0


async def test_a_damaged_passage_costs_that_passage_and_is_read_again_by_an_ingest(site: Site):
    with closing(sqlite3.connect(site.index / "index.sqlite3", isolation_level=None)) as database:
        change = "UPDATE passages SET text = CAST(x'ff' || CAST(text AS BLOB) AS TEXT) WHERE document = 'animal3.md'"
        assert database.execute(change).rowcount == 1
    replica = await site.replica("rag-1")
    assert await answered(replica, 4)
    assert not await answered(replica, 3)
    assert any("1 passage of the index" in reason for reason in (await replica.health())["reasons"])
    await site.ingest()
    async with asyncio.timeout(WITHIN_S):
        while (await replica.health())["status"] != "ok":
            await asyncio.sleep(0.1)
    assert await answered(replica, 3)


async def test_replicas_notice_a_backup_that_is_restored_under_them_and_search_it_rightly(site: Site, tmp_path: Path):
    database = site.index / "index.sqlite3"
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(tmp_path / "backup")) as target:
        source.backup(target)
    (site.documents / "lion.md").write_text("The lion20 sleeps beside the river20.\n")
    await site.ingest()
    replicas = [await site.replica("rag-1"), await site.replica("rag-2")]
    with closing(sqlite3.connect(tmp_path / "backup")) as source, closing(sqlite3.connect(database)) as target:
        source.backup(target)
    async with asyncio.timeout(WITHIN_S):
        while {(await replica.health())["index"]["documents"] for replica in replicas} != {len(TEXTS)}:
            await asyncio.sleep(0.1)
    for replica in replicas:
        assert all([await answered(replica, number) for number in range(len(TEXTS))])
        cited = (await replica.ask("Where does the lion20 sleep?"))["citations"]
        assert "lion.md" not in {citation["document"] for citation in cited}


async def test_a_replica_whose_index_cannot_be_read_is_not_ready_says_why_and_answers_as_degraded(
    site: Site, tmp_path: Path
):
    shutil.move(site.index, tmp_path / "elsewhere")
    site.index.symlink_to(site.index)  # a loop: even root cannot read it
    replica = site.started("rag-1")
    status, told = await site.readiness(replica)
    assert (status, told["error"]["type"]) == (503, "index_not_loaded")
    assert "cannot be read: Too many levels of symbolic links" in told["error"]["message"]
    assert (await replica.ask("Where does the zebra3 graze?"))["degraded"]
    status, output = await site.run("check")
    assert status == 1
    assert "cannot be read" in " ".join(output.split())
    site.index.unlink()
    shutil.move(tmp_path / "elsewhere", site.index)
    await until_ready(replica.ready, replica)
    assert await answered(replica, 3)
