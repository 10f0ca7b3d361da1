"""Processes whose disk is full: each says so, with the place and the remedy, and loses nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fleet.processes import DOCUMENTS, HA_RAG, Replica, until_ready
from tests.full_disk import SmallDisk, small_disk

LOCAL = """\
[index]
path = "{index}"

[[embedders]]
name = "primary"
kind = "hashing"

[[retrievers]]
name = "primary"
kind = "local"

[[generators]]
name = "primary"
kind = "extractive"
"""
LARGE = "Quokkas hop over grass. " * 4000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as mounted:
        yield mounted


@pytest.fixture
def config(disk: SmallDisk, tmp_path: Path) -> Path:
    """For an index on that disk, with two documents in it."""
    for name, text in DOCUMENTS.items():
        (tmp_path / "docs").mkdir(exist_ok=True)
        (tmp_path / "docs" / name).write_text(text)
    file = tmp_path / "ha_rag.toml"
    file.write_text(LOCAL.format(index=disk.path / "index"))
    done = command("ingest", str(tmp_path / "docs"), "--config", str(file))
    assert done.returncode == 0, done.stderr
    return file


@pytest.fixture
async def replica(disk: SmallDisk, config: Path) -> AsyncIterator[Replica]:
    """One whose log is on that disk, too. Not started yet."""
    one = Replica("rag-1", disk.path, config)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        one.reached_by(session)
        try:
            yield one
        finally:
            one.stop()


def command(*words: str, **given: Any) -> subprocess.CompletedProcess[str]:
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **given}
    return subprocess.run([*HA_RAG, *words], check=False, timeout=60, text=True, **given)


async def post(replica: Replica, name: str) -> tuple[int, dict[str, Any]]:
    body = {"id": name, "text": f"{name} {LARGE}"}
    async with replica._session.post(f"{replica.url}/v1/documents", json=body) as reply:
        return reply.status, await reply.json()


async def test_a_posted_document_is_refused_with_507_questions_go_on_and_with_space_it_is_taken(
    disk: SmallDisk, replica: Replica
):
    replica.start()
    await until_ready(replica.ready, replica)
    disk.fill(but_kb=8)

    statuses = []
    for name in ("one", "two"):
        status, body = await post(replica, name)
        statuses.append(status)
        assert body["error"]["type"] == "disk_full"
        assert f"no space left on device for {disk.path}" in body["error"]["message"]
        assert "free space" in body["error"]["message"]
    assert statuses == [507, 507]
    answer = await replica.ask()
    assert (answer["degraded"], answer["citations"][0]["document"]) == (False, "recovery.md")
    assert (await replica.health())["index"]["problem"] is None

    disk.free()
    assert (await post(replica, "one"))[0] == 200
    found = await replica.ask("Do quokkas hop over grass?")
    assert found["citations"][0]["document"] in ("one", "two")


async def test_a_replica_that_starts_on_a_full_disk_answers_from_its_index(disk: SmallDisk, replica: Replica):
    disk.fill()
    replica.start()
    await until_ready(replica.ready, replica)

    answer = await replica.ask()
    assert (answer["degraded"], answer["citations"][0]["document"]) == (False, "recovery.md")
    assert (await post(replica, "one"))[0] == 507
    disk.free()
    assert (await post(replica, "one"))[0] == 200


async def test_a_writer_that_was_killed_on_a_full_disk_is_told_from_a_read_only_one(disk: SmallDisk, replica: Replica):
    """What it had committed is in SQLite's journal, which cannot be read without a little space."""
    replica.start()
    await until_ready(replica.ready, replica)
    await post(replica, "one")
    replica.kill()
    disk.fill()
    replica.start()
    await until_ready(lambda: answers(replica), replica)

    problem = (await replica.health())["index"]["problem"]
    if problem is None:  # the journal was read after all
        assert (await replica.ask("Do quokkas hop?"))["citations"][0]["document"] == "one"
    else:
        assert "no space left on device" in problem

    disk.free()
    await until_ready(replica.ready, replica)
    assert (await replica.ask("Do quokkas hop over grass?"))["citations"][0]["document"] == "one"


async def answers(replica: Replica) -> bool:
    try:
        async with replica._session.get(f"{replica.url}/health/live") as reply:
            return reply.status == 200
    except aiohttp.ClientError:
        return False


async def test_an_ingest_says_so_and_the_next_one_goes_on(disk: SmallDisk, config: Path, tmp_path: Path):
    more = tmp_path / "more"
    more.mkdir()
    for number in range(200):
        (more / f"{number}.md").write_text(f"# {number}\n\n{LARGE[:4000]}")
    disk.fill(but_kb=200)

    full = await asyncio.to_thread(command, "ingest", str(more), "--config", str(config))
    disk.free()
    done = await asyncio.to_thread(command, "ingest", str(more), str(tmp_path / "docs"), "--config", str(config))

    assert (full.returncode, full.stdout) == (1, "")
    (sentence,) = full.stderr.splitlines()
    assert sentence.startswith(f"ha-rag: the index cannot be written: no space left on device for {disk.path}")
    assert "free space" in sentence
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("202 documents: ")


async def test_output_that_does_not_fit_is_told_in_a_sentence(disk: SmallDisk, config: Path):
    disk.fill()
    with (disk.path / "out").open("w") as out:
        done = await asyncio.to_thread(command, "check", "--json", "--config", str(config), stdout=out)

    assert done.returncode == 1
    assert done.stderr.startswith("ha-rag: no space left on device for ")
    assert len(done.stderr.splitlines()) == 1


async def test_a_fleet_that_has_no_place_for_its_files_says_so(disk: SmallDisk, tmp_path: Path):
    folder = disk.path / "fleet"
    folder.mkdir()
    disk.fill()
    environment = {**os.environ, "NO_COLOR": "1", "TMPDIR": str(tmp_path)}

    done = await asyncio.to_thread(command, "up", "-n", "1", cwd=folder, env=environment)

    assert done.returncode != 0
    assert "No space left on device; free space" in done.stdout + done.stderr
    assert str(Path(".ha_rag")) in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
