"""A whole fleet of stand-ins: real processes and real ports around the supervisor and the front."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import psutil
import pytest
from rich.console import Console

from ha_rag.assembly.configuration import load_settings
from ha_rag.errors import ConfigurationError
from ha_rag.local_fleet.alone import FleetRunningError
from ha_rag.local_fleet.plan import Commands, FleetPlan
from ha_rag.local_fleet.process_supervisor import RestartPolicy
from ha_rag.local_fleet.programs import ingest_program
from ha_rag.local_fleet.record import FleetRecord, running_fleet
from ha_rag.local_fleet.supervisor import run_fleet
from tests.local_fleet import stand_ins
from tests.ports import free_port, free_ports_in_a_row
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are not Windows's way")

QUICK = RestartPolicy(first_s=0.01, longest_s=0.01)
SERVES = stand_ins.command("serve")


class Fleet:
    """A fleet that runs in a task of this test; `said` is what it told its terminal."""

    def __init__(self, plan: FleetPlan) -> None:
        self.plan = plan
        self._terminal = io.StringIO()
        console = Console(file=self._terminal, width=200, color_system=None)
        self.task = asyncio.create_task(run_fleet(plan, console=console, policy=QUICK))

    @property
    def said(self) -> str:
        return self._terminal.getvalue()

    async def until_said(self, text: str) -> None:
        await until(lambda: text in self.said or self.task.done())
        assert text in self.said

    async def until_all_answer(self) -> dict[str, list[str]]:
        """Asks the front until each replica has answered: it learns by its own checks, a moment later than the
        supervisor, which of them are ready. Answers what each said."""
        said: dict[str, list[str]] = {}
        async with asyncio.timeout(PATIENCE_S):
            while len(said) < self.plan.replicas:
                name, text = await self.get(self.plan.port)
                said[name] = text
        return said

    async def get(self, port: int) -> tuple[str, list[str]]:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as reply:
            return reply.headers.get("X-HA-RAG-Replica", ""), (await reply.text()).split("\n")


def descendants() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def commands() -> dict[psutil.Process, list[str]]:
    """The command line of each descendant that has not ended meanwhile."""
    found = {}
    for process in descendants():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie, too, has none any more
            found[process] = process.cmdline()
    return found


@asynccontextmanager
async def running(plan: FleetPlan) -> AsyncIterator[Fleet]:
    fleet = Fleet(plan)
    try:
        yield fleet
    finally:
        fleet.task.cancel()
        await asyncio.gather(fleet.task, return_exceptions=True)


@pytest.fixture
def plan(tmp_path: Path) -> FleetPlan:
    return FleetPlan(
        environment=dict(os.environ),
        replicas=2,
        port=free_ports_in_a_row(3),
        redis_url="redis://127.0.0.1:1/0",
        folder=tmp_path / "fleet",
        commands=Commands(serve=SERVES, provider=SERVES, ingest=stand_ins.command("fail", "0")),
    )


async def test_a_fleet_starts_answers_and_ends_without_leaving_anything(plan: FleetPlan) -> None:
    before = descendants()
    async with running(plan) as fleet:
        await fleet.until_said("2 ready")
        assert [stat.S_IMODE(folder.stat().st_mode) for folder in (plan.folder, plan.log_folder)] == [0o700, 0o700]
        assert len(descendants() - before) == 3
        answers = await fleet.until_all_answer()
        os.kill(os.getpid(), 15)
        assert await asyncio.wait_for(fleet.task, PATIENCE_S) == 0
    assert answers.keys() == {"rag-1", "rag-2"}
    assert {told[1] for told in answers.values()} == {"redis://127.0.0.1:1/0"}
    assert descendants() <= before
    assert f"http://localhost:{plan.port}" in fleet.said
    assert "Everything has stopped." in fleet.said


UNFINISHED = b"POST /v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"


@pytest.mark.parametrize("everyone", [False, True], ids=["twice", "to every process"])
async def test_a_stopping_fleet_speaks_of_no_restart_when_it_is_told_again(plan: FleetPlan, everyone: bool) -> None:
    before = descendants()
    async with running(plan) as fleet:
        await fleet.until_said("2 ready")
        _, writer = await asyncio.open_connection("127.0.0.1", plan.port)
        writer.write(UNFINISHED)  # the front waits for its end, and the replicas wait for the front
        await writer.drain()
        os.kill(os.getpid(), 15)
        await fleet.until_said("Stopping:")
        if everyone:
            for process in descendants() - before:
                process.terminate()
        else:
            os.kill(os.getpid(), 15)
        assert await asyncio.wait_for(fleet.task, PATIENCE_S) == 0
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    assert "started again" not in fleet.said
    assert "Everything has stopped." in fleet.said
    assert descendants() <= before


async def test_replicas_hear_their_names_and_have_ports_of_their_own(plan: FleetPlan) -> None:
    async with running(plan) as fleet:
        await fleet.until_said("2 ready")
        assert [(await fleet.get(plan.port + n))[1][0] for n in (1, 2)] == ["rag-1", "rag-2"]


async def test_a_replica_that_is_killed_comes_back_and_nobody_notices(plan: FleetPlan) -> None:
    async with running(plan) as fleet:
        await fleet.until_said("2 ready")
        port = str(plan.replica_port(1))
        victim = next(process for process, words in commands().items() if port in words and "serve" in words)
        victim.kill()
        assert all([(await fleet.get(plan.port))[1] for _ in range(10)])
        await fleet.until_said("rag-1 was killed by signal 9")
        await until(lambda: any(port in words for words in commands().values()))


async def test_without_a_redis_url_it_brings_a_redis_along(plan: FleetPlan) -> None:
    async with running(replace(plan, redis_url=None)) as fleet:
        await fleet.until_said("2 ready")
        _, (_, redis_url) = await fleet.get(plan.port)
        assert redis_url.startswith(("unix://", "redis://127.0.0.1:"))
        assert "in memory, for this fleet alone" in fleet.said


async def test_without_a_configuration_the_provider_serves_and_the_way_to_break_it_is_shown(plan: FleetPlan) -> None:
    async with running(replace(plan, provider=True, provider_port=free_port())) as fleet:
        await fleet.until_said("2 ready")
        assert "ha-rag break embedder.primary" in fleet.said
        assert sum("serve" in words and "--config" in words for words in commands().values()) == 2


async def test_a_running_fleet_can_be_found_by_its_folder(plan: FleetPlan) -> None:
    async with running(replace(plan, provider=True, provider_port=free_port())) as fleet:
        await fleet.until_said("2 ready")
        record = running_fleet(plan.folder)
        assert record is not None
        assert (record.url, record.process) == (plan.url, os.getpid())
        assert record.configuration is not None
        assert load_settings(record.configuration, {}).service_urls.keys() == {"embedder.primary", "generator.primary"}
    assert running_fleet(plan.folder) is None


async def test_a_second_fleet_in_one_folder_says_that_one_runs_and_ends(plan: FleetPlan) -> None:
    other = replace(plan, port=free_ports_in_a_row(3))
    async with running(plan) as fleet:
        await fleet.until_said("2 ready")
        before = descendants()
        with pytest.raises(FleetRunningError, match=f"runs here already .*: {plan.url}, process {os.getpid()}"):
            await run_fleet(other)
        assert descendants() == before
        record = running_fleet(plan.folder)
        assert record is not None
        assert record.url == plan.url
    async with running(other) as fleet:
        await fleet.until_said("2 ready")


async def test_of_two_fleets_that_start_in_one_folder_at_once_one_runs_and_the_other_names_it(plan: FleetPlan) -> None:
    plans = [replace(plan, port=free_ports_in_a_row(3)) for _ in range(2)]
    async with running(plans[0]) as first, running(plans[1]) as second:
        tasks = {first.task: plans[0], second.task: plans[1]}
        (ended,), (runs,) = await asyncio.wait(tasks, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        error = ended.exception()
        assert isinstance(error, FleetRunningError)
        assert error.url == tasks[runs].url


async def test_a_fleet_that_was_killed_does_not_keep_another_one_from_starting(plan: FleetPlan) -> None:
    plan.folder.mkdir()
    FleetRecord(process=os.getpid(), url="http://127.0.0.1:1").write(plan.folder)
    async with running(plan) as fleet:
        await fleet.until_said("2 ready")
        record = running_fleet(plan.folder)
        assert record is not None
        assert record.url == plan.url


async def test_two_fleets_in_two_folders_that_start_at_once_choose_other_ports(plan: FleetPlan) -> None:
    plans = [replace(plan, folder=plan.folder / name, any_port=True) for name in ("one", "two")]
    async with running(plans[0]) as first, running(plans[1]) as second:
        await first.until_said("2 ready")
        await second.until_said("2 ready")
        urls = {record.url for one in plans if (record := running_fleet(one.folder)) is not None}
        assert len(urls) == 2


async def test_the_brought_redis_stands_in_the_fleets_configuration(plan: FleetPlan) -> None:
    async with running(replace(plan, provider=True, provider_port=free_port(), redis_url=None)) as fleet:
        await fleet.until_said("2 ready")
        _, (_, redis_url) = await fleet.get(plan.port)
        record = running_fleet(plan.folder)
        assert record is not None
        settings = load_settings(record.configuration, {})
        assert settings.redis_url is not None
        assert settings.redis_url.reveal() == redis_url


async def test_where_the_providers_port_is_taken_it_has_another(plan: FleetPlan) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        async with running(replace(plan, provider=True, provider_port=taken)) as fleet:
            await fleet.until_said("2 ready")
            assert f"Port {taken} is taken: the simulated provider has " in fleet.said
            assert "ha-rag break embedder.primary --for 30 --provider http://127.0.0.1:" in fleet.said


def test_where_nobody_asked_for_a_port_the_next_free_ones_do(plan: FleetPlan) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", plan.port + 2))
        listener.listen()
        assert replace(plan, any_port=True).on_free_ports().port in range(plan.port + 10, plan.port + 100, 10)
        assert plan.on_free_ports() == plan


async def test_an_empty_index_is_filled_before_the_replicas_start_and_a_failure_there_stops_nothing(
    plan: FleetPlan, tmp_path: Path
) -> None:
    failing = replace(plan.commands, ingest=stand_ins.command("fail", "4"))
    async with running(replace(plan, samples=True, documents=tmp_path, commands=failing)) as fleet:
        await fleet.until_said("2 ready")
        assert fleet.said.index("Indexing /") < fleet.said.index("exit code 4") < fleet.said.index("2 ready")


async def test_replicas_with_an_index_do_not_wait_for_the_documents(plan: FleetPlan, tmp_path: Path) -> None:
    before = descendants()
    slow = replace(plan.commands, ingest=stand_ins.command("say_and_wait"))
    async with running(replace(plan, documents=tmp_path, indexed=True, commands=slow)) as fleet:
        await fleet.until_said("2 ready")
    assert descendants() <= before


@pytest.mark.parametrize(
    ("samples", "documents", "said"),
    [
        (True, None, ["--samples"]),
        (False, Path("docs"), ["docs"]),
        (True, Path("docs"), ["--samples", "docs"]),
        (False, None, None),
    ],
)
def test_what_is_indexed_is_what_the_plan_says(plan: FleetPlan, samples, documents, said) -> None:
    program = ingest_program(replace(plan, samples=samples, documents=documents), None, "redis://127.0.0.1")
    assert (None if program is None else list(program.command[len(plan.commands.ingest) :])) == said


async def test_replicas_that_can_never_start_end_the_fleet_with_their_last_words(plan: FleetPlan) -> None:
    before = descendants()
    broken = Commands(serve=stand_ins.command("complain"), front=plan.commands.front)
    async with running(replace(plan, commands=broken)) as fleet:
        assert await asyncio.wait_for(fleet.task, PATIENCE_S) == 1
    assert "server.prot = 1: unknown key" in fleet.said
    assert "has ended 3 times in a row" in fleet.said
    assert "The fleet cannot start like this" in fleet.said
    assert descendants() <= before


async def test_a_taken_port_is_named_before_anything_is_started(plan: FleetPlan) -> None:
    before = descendants()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", plan.port + 2))
        listener.listen()
        with pytest.raises(ConfigurationError) as caught:
            await run_fleet(plan)
    assert caught.value.problems == (
        f"port {plan.port + 2} for rag-2: another program is listening there; "
        "the replicas' ports follow the front's: choose another with --port",
    )
    assert descendants() <= before


async def test_a_log_folder_that_cannot_be_made_is_named(plan: FleetPlan, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="log folder"):
        await run_fleet(replace(plan, folder=tmp_path / "file"))


@pytest.mark.parametrize("replicas", [0, -1, 65])
def test_an_impossible_number_of_replicas_is_refused(plan: FleetPlan, replicas: int) -> None:
    with pytest.raises(ConfigurationError, match="between 1 and 64"):
        replace(plan, replicas=replicas)


def test_the_simulated_provider_beside_a_configuration_is_refused(plan: FleetPlan) -> None:
    with pytest.raises(ConfigurationError, match="simulated provider"):
        replace(plan, provider=True, config=Path("ha_rag.toml"))
