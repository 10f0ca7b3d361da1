"""Supervisor: runs a fleet of Redis, the simulated provider, the replicas and the front.

They start in the order of their dependencies, are kept running, and stop in the opposite order, each within a time
limit. No process outlives this one, however it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
from rich.console import Console

from ha_rag.disk_space import reason
from ha_rag.errors import ConfigurationError
from ha_rag.local_fleet import programs
from ha_rag.local_fleet.alone import only_fleet_in
from ha_rag.local_fleet.child import Child
from ha_rag.local_fleet.narrator import Narrator
from ha_rag.local_fleet.plan import FleetPlan
from ha_rag.local_fleet.port_claims import PortClaims
from ha_rag.local_fleet.ports import require_free
from ha_rag.local_fleet.process_supervisor import Ending, ProcessSupervisor, RestartPolicy
from ha_rag.local_fleet.program import Program
from ha_rag.local_fleet.record import FleetRecord
from ha_rag.local_fleet.redis_server import find_redis, redis_program
from ha_rag.private_folder import make_private_folder

SERVICE_START_S = 10.0
"""How long to wait for Redis and the provider; after that the replicas start without them."""
STRAGGLER_S = 20.0
"""How long to wait for the other replicas, once one is ready, before the fleet is announced."""


async def run_fleet(plan: FleetPlan, *, console: Console | None = None, policy: RestartPolicy | None = None) -> int:
    """Runs the fleet until SIGINT or SIGTERM (a second one ends it at once). The exit code: 0, or 1 if it never served.

    Raises ConfigurationError, before anything is started, if a port is taken or the log folder is not writable, and
    FleetRunningError if a fleet runs in the plan's folder.
    """
    _make_log_folder(plan)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(only_fleet_in(plan.folder))
        asked, plan = plan, plan.on_free_ports(stack.enter_context(PortClaims()))
        require_free(plan.port_needs())
        narrator = Narrator(console or Console(highlight=False))
        narrator.moved(asked, plan)
        folder = stack.enter_context(_private_folder())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        fleet = Supervisor(plan, folder, session, narrator, policy)
        stack.enter_context(_told_by_signals(fleet))
        return await fleet.run()


class Supervisor:
    """One fleet. `folder`: a private temporary folder for the socket and the configuration. Used on one event loop."""

    def __init__(
        self,
        plan: FleetPlan,
        folder: Path,
        session: aiohttp.ClientSession,
        narrator: Narrator,
        policy: RestartPolicy | None = None,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._session = session
        self._narrator = narrator
        self._policy = policy or RestartPolicy()
        self.was_ready = asyncio.Event()
        self._told_to_stop = asyncio.Event()
        self._services: list[ProcessSupervisor] = []
        self._replicas: list[ProcessSupervisor] = []
        self._fronts: list[ProcessSupervisor] = []
        self._exit_code = 0
        self._indexing: asyncio.Task[None] | None = None
        self._record = FleetRecord(process=os.getpid(), url=plan.url, configuration=plan.config)

    def process_of(self, name: str) -> int:
        """The process id of a program, named "redis", "provider", "front", "rag-1" ... KeyError: it does not run."""
        processes = (*self._services, *self._replicas, *self._fronts)
        return {kept.program.name: kept.child.pid for kept in processes if kept.child is not None}[name]

    def stop(self) -> None:
        """Begins to stop the fleet; a second call kills it."""
        for process in (*self._fronts, *self._replicas, *self._services):
            process.kill() if self._told_to_stop.is_set() else process.restart_no_more()
        self._told_to_stop.set()

    async def run(self) -> int:
        """Starts everything, waits for `stop`, stops everything. Returns the exit code."""
        starting = asyncio.create_task(self._start_all())
        stopping = asyncio.create_task(self._told_to_stop.wait())
        try:
            await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
            await self._told_to_stop.wait()
        finally:
            tasks = [task for task in (starting, stopping, self._indexing) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._end_all()
        return self._exit_code

    async def _start_all(self) -> None:
        # At once, for another one that is started here; and again once there is a configuration for commands.
        self._record.write(self._plan.folder)
        redis, redis_url = await self._start_redis()
        config = await self._start_provider(redis_url)
        self._record = replace(self._record, configuration=config)
        self._record.write(self._plan.folder)
        self._indexing = asyncio.create_task(self._index(config, redis_url))
        if not self._plan.indexed:
            await self._indexing
        for number in range(1, self._plan.replicas + 1):
            program = programs.replica_program(self._plan, number, config, redis_url, self._session)
            self._keep(program, self._replicas)
        if self._plan.alerts:
            self._keep(programs.alerter_program(self._plan, config, redis_url), self._services)
        front = self._keep(programs.front_program(self._plan, self._session), self._fronts)
        await front.was_ready.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STRAGGLER_S):
                await asyncio.gather(*(replica.was_ready.wait() for replica in self._replicas))
        ready = sum(replica.was_ready.is_set() for replica in self._replicas)
        self._narrator.ready(self._plan, redis=redis, ready=ready)
        self.was_ready.set()

    async def _start_redis(self) -> tuple[str, str]:
        """Which Redis, for people, and its URL."""
        if self._plan.redis_url is not None:
            return "the configured one", self._plan.redis_url
        found = find_redis(path=self._plan.environment.get("PATH"))
        shown = f"{found}, in memory, for this fleet alone"
        self._narrator.step(f"Redis: {shown}")
        log = self._plan.log_folder / "redis.log"
        program, url = redis_program(found, self._folder, log, self._plan.environment)
        await self._keep_and_wait(program)
        return shown, url

    async def _start_provider(self, redis_url: str) -> Path | None:
        """The configuration file of the replicas."""
        if not self._plan.provider:
            return self._plan.config
        config = self._folder / "ha_rag.toml"
        own_redis = redis_url if self._plan.redis_url is None else None
        config.write_text(self._plan.configuration(self._plan.provider_port, own_redis), encoding="utf-8")
        await self._keep_and_wait(programs.provider_program(self._plan, self._session))
        return config

    async def _index(self, config: Path | None, redis_url: str) -> None:
        """Indexes the documents and the samples. Not at all, or not all of them: that is said, and stops nothing."""
        program = programs.ingest_program(self._plan, config, redis_url)
        if program is None:
            return
        documents = self._plan.documents
        self._narrator.step(
            f"Indexing {documents}" if documents else "Indexing sample documents, if there are no others"
        )
        async with _running(program) as child:
            code = await child.wait()
        if code:
            self._narrator.step(f"Not all of them could be indexed (exit code {code}): {' '.join(child.last_words(3))}")
        else:
            self._narrator.step("; ".join(child.last_words(3)))

    def _keep(self, program: Program, group: list[ProcessSupervisor]) -> ProcessSupervisor:
        process = ProcessSupervisor(program, self._has_ended, self._policy)
        group.append(process)
        process.start()
        return process

    async def _keep_and_wait(self, program: Program) -> None:
        process = self._keep(program, self._services)
        try:
            async with asyncio.timeout(SERVICE_START_S):
                await process.was_ready.wait()
        except TimeoutError:
            self._narrator.step(f"{program.name} is not ready; the replicas start without it")

    def _has_ended(self, ending: Ending) -> None:
        if ending.early_ends == self._policy.loop_after:
            self._narrator.looping(ending)
        else:
            self._narrator.ended(ending)
        if ending.looping and self._is_hopeless(ending.program):
            self._narrator.gave_up()
            self._exit_code = 1
            self._told_to_stop.set()

    def _is_hopeless(self, program: Program) -> bool:
        """Whether the fleet cannot serve without this program, and it has never been ready."""
        kin = next(
            (group for group in (self._replicas, self._fronts) if program in [line.program for line in group]), []
        )
        return bool(kin) and not any(line.was_ready.is_set() for line in kin)

    async def _end_all(self) -> None:
        """The front first, so that no more requests arrive; then all replicas together; then Redis, which they use."""
        self._record.remove(self._plan.folder)
        self._narrator.step("Stopping: finishing requests in flight (Ctrl-C again stops at once)")
        killed: list[str] = []
        for group in (self._fronts, self._replicas, *([service] for service in reversed(self._services))):
            killed += await _end(group)
        self._narrator.stopped(killed)


async def _end(processes: list[ProcessSupervisor]) -> list[str]:
    """Stops them together; returns the names of those that had to be killed."""
    in_time = await asyncio.gather(*(process.stop() for process in processes))
    return [process.program.name for process, ended in zip(processes, in_time, strict=True) if not ended]


@asynccontextmanager
async def _running(program: Program) -> AsyncIterator[Child]:
    child = await Child.start(program)
    try:
        yield child
    finally:
        await child.stop()


def _make_log_folder(plan: FleetPlan) -> None:
    try:
        for folder in (plan.folder, plan.log_folder):
            make_private_folder(folder)
    except OSError as error:
        raise ConfigurationError(f"the log folder {plan.log_folder} cannot be made: {reason(error)}") from error


@contextmanager
def _private_folder() -> Iterator[Path]:
    # A socket's path is limited to about a hundred characters; some systems' temporary folders use most of them.
    place = tempfile.gettempdir()
    short = place if len(place) < 60 else "/tmp"  # noqa: S108 - mkdtemp makes a folder of mode 0700 there
    with tempfile.TemporaryDirectory(prefix="ha-rag-", dir=short, ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def _told_by_signals(fleet: Supervisor) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C cancels the main task instead
        for number in numbers:
            loop.add_signal_handler(number, fleet.stop)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError):
            for number in numbers:
                loop.remove_signal_handler(number)
