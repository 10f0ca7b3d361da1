"""A crew: replicas without the RAG (`worker.py`), one circuit, and everything between them that can break.

    async with crew_of(3) as crew: ...                 three processes, one Redis of their own, the counting provider
    async with crew_of(3, wires=True) as crew: ...     each reaches Redis and the provider over a wire of its own

Processes are kept between tests: each test's replicas are new incarnations in them.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.fleet.control import Remote
from tests.fleet.processes import Controls, Process, Provider
from tests.fleet.proxy import Wire
from tests.redis_servers import RedisProcess

TIMEOUT_S = 0.5
LEASE_S = TIMEOUT_S + 1.0
REST_S = 1.5
"""The shortest rest there can be: no rest is shorter than a probe may last."""

POLICY = {
    "min_samples": 3, "recovery_timeout_s": REST_S, "recovery_timeout_max_s": 2 * REST_S, "probe_successes": 2,
    # A circuit that probes have just closed counts for this long without judging; here it opens again at once.
    "blip_s": 0.05,
}  # fmt: skip

SLACK_S = 2.0
"""What a busy machine may add to a time that the law promises."""

LONG_REST_S = 5.0
LONG_REST = {"recovery_timeout_s": LONG_REST_S, "recovery_timeout_max_s": LONG_REST_S}
TIGHT_S = 1.0
"""Less slack than a lease and far less than the long rest: one of either too many shows."""


class Pool:
    """Processes that listen on a socket, kept from test to test. `module`: what they run. `environment`: of each."""

    def __init__(self, folder: Path, module: str, environment: Mapping[str, str] = {}) -> None:
        self._folder = folder
        self._module = module
        self._environment = environment
        self._idle: list[Process] = []
        self.started: list[Process] = []
        self._numbers = itertools.count()

    def take(self, number: int) -> list[Process]:
        """So many running processes; new ones may still be starting."""
        while len(self._idle) < number:
            self._idle.append(self.start_one())
        taken, self._idle = self._idle[:number], self._idle[number:]
        return taken

    def start_one(self, *before: str, **environment: str) -> Process:
        """A process that is not kept, unless it is given back. `before`: a program that starts it."""
        name = f"{self._module.rpartition('.')[2]}-{next(self._numbers)}"
        socket = str(self._folder / f"{name}.sock")
        command = [*before, sys.executable, "-m", self._module, socket]
        process = Process(name, command, self._folder, {**self._environment, **environment})
        process.start()
        self.started.append(process)
        return process

    def give_back(self, processes: Iterable[Process]) -> None:
        alive = [process for process in processes if process.runs]
        for process in alive:
            process.resume()  # a test that failed may have left it paused
        self._idle += alive

    def stop(self) -> None:
        for process in self._idle:
            process.stop()


@dataclass(eq=False)
class Member:
    """One replica. `ask("verb", ...)` is what `worker.py` can be asked."""

    name: str
    process: Process
    ask: Remote
    to_redis: Wire | None = None
    to_provider: Wire | None = None
    incarnation: str = ""

    async def call(self, times: int = 1, **how: Any) -> list[str]:
        """Makes guarded calls; answers how each ended: "ok", "failed", "refused" or "cancelled"."""
        return [record["outcome"] for record in await self.ask("call", times=times, **how)]

    async def sees(self) -> dict[str, Any]:
        """What it believes."""
        seen: dict[str, Any] = await self.ask("see")
        return seen

    async def state(self) -> str:
        """What its calls would meet."""
        return str((await self.sees())["state"])

    async def freeze_wire(self) -> None:
        """Nothing passes between it and Redis until `thaw_wire`, and nothing is lost."""
        assert self.to_redis is not None
        await self.to_redis.set(frozen=True)

    async def thaw_wire(self) -> None:
        assert self.to_redis is not None
        await self.to_redis.set(frozen=False)

    async def events(self, kind: str = "CircuitChanged") -> list[dict[str, Any]]:
        return [event for event in await self.ask("events") if event["kind"] == kind]


@dataclass(eq=False)
class Crew:
    """Everything of one test."""

    members: list[Member]
    redis: RedisProcess
    provider: Controls
    namespace: str
    policy: dict[str, Any] = field(default_factory=dict)
    timeout_s: float = TIMEOUT_S

    def __iter__(self) -> Any:
        return iter(self.members)

    async def load(self, per_s: float, members: Sequence[Member] | None = None) -> None:
        """Each member calls so many times a second from now on; they take turns, as replicas do."""
        asked = members or self.members
        turn_s = 1 / per_s / len(asked)
        await asyncio.gather(*(m.ask("load", per_s=per_s, after_s=n * turn_s) for n, m in enumerate(asked)))

    async def unload(self, members: Sequence[Member] | None = None) -> list[dict[str, Any]]:
        """Stops that; answers the records of all calls since, oldest first, each with its `replica`."""
        asked = members or self.members
        told = await asyncio.gather(*(m.ask("unload") for m in asked))
        records = [{**record, "replica": m.name} for m, one in zip(asked, told, strict=True) for record in one]
        return sorted(records, key=lambda record: record["begun_s"])

    async def until(
        self,
        state: str,
        within_s: float,
        *,
        calling: bool = False,
        members: Sequence[Member] | None = None,
        slack_s: float = SLACK_S,
    ) -> float:
        """Waits until the calls of every member would meet `state`; answers how long that took.

        `calling`: each calls all the while: a circuit closes only by calls.
        """
        now, asked = asyncio.get_running_loop().time, members or self.members
        began_s = now()
        while True:
            if calling:
                await asyncio.gather(*(m.call() for m in asked))
            seen = await asyncio.gather(*(m.sees() for m in asked))
            if {one["state"] for one in seen} == {state}:
                return now() - began_s
            assert now() < began_s + within_s + slack_s, f"not {state} everywhere within {within_s:g} s: {seen}"
            await asyncio.sleep(0.02)

    async def open(self, mode: str = "error", **fault: Any) -> None:
        """Breaks the service, and lets the first member open the circuit for all.

        A circuit that probes have just closed counts for `blip_s` before it judges: it goes on calling until then.
        """
        await self.provider.fail("chat", mode, **fault)
        first, deadline = self.members[0], asyncio.get_running_loop().time() + 2.0
        assert "ok" not in await first.call(3)
        while await first.state() == "closed" and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.1)
            assert "ok" not in await first.call()
        await self.until("open", within_s=0.5)

    async def fail_until_open(self, within_s: float) -> None:
        """The service is broken: calls from everybody until the circuit is open for all."""
        await self.until("open", within_s, calling=True)

    async def until_shared(self, within_s: float, above: int = -1) -> None:
        """Waits until every member shares its belief again, and all believe the same epoch, higher than `above`."""
        until_s = asyncio.get_running_loop().time() + within_s + SLACK_S
        while True:
            seen = [await member.sees() for member in self.members]
            beliefs = {(one["epoch"], one["fleet"]) for one in seen}
            if not any(one["away"] for one in seen) and len(beliefs) == 1 and min(beliefs)[0] > above:
                return
            assert asyncio.get_running_loop().time() < until_s, f"no common belief: {seen}"
            await asyncio.sleep(0.05)

    async def until_alone(self, member: Member) -> None:
        """Waits until `member` knows that it no longer reaches Redis."""
        async with asyncio.timeout(4.0 + SLACK_S):
            while not (await member.sees())["away"]:
                await asyncio.sleep(0.05)

    async def open_to_half_open(self) -> None:
        """The circuit has opened, and its rest is over; nobody has probed yet."""
        await self.open()
        await self.until("half_open", within_s=REST_S)

    async def refused_until(self, end_s: float) -> list[float]:
        """Everybody calls until then (monotonic seconds), and is refused because the circuit rests.

        Answers when, as each refusal told, the rest ends.
        """
        told: list[float] = []
        while time.monotonic() < end_s:
            records = [record for one in await asyncio.gather(*(m.ask("call") for m in self)) for record in one]
            during = [record for record in records if record["ended_s"] < end_s]
            let = [record for record in during if (record["outcome"], record.get("state")) != ("refused", "open")]
            assert not let, f"{end_s - let[0]['ended_s']:.2f} s too early: {let}"
            told += [record["ended_s"] + record["retry_after_s"] for record in during]
            await asyncio.sleep(0.02)
        return told

    async def begin_probe(self, prober: Member) -> asyncio.Future[Any]:
        """The circuit is half-open, and `prober` is in the middle of its probe: the service has it and says nothing.

        Answers what the call will have come to; what the prober never tells is not waited for.
        """
        await self.provider.fail("chat", "hang")
        received = await self.provider.calls()
        probing = asyncio.ensure_future(self.probe(prober))
        async with asyncio.timeout(LEASE_S):
            while await self.provider.calls() == received:
                await asyncio.sleep(0.01)
        return probing

    @classmethod
    async def probe(cls, prober: Member, **how: Any) -> str:
        """Calls until a call is the probe: a grant that comes later than 50 ms is for the next one."""
        return str((await cls.recorded_probe(prober, **how))["outcome"])

    @staticmethod
    async def recorded_probe(prober: Member, **how: Any) -> dict[str, Any]:
        """The same; answers the call's record."""
        while (record := (await prober.ask("call", **how))[0])["outcome"] == "refused":
            await asyncio.sleep(0.01)
        return dict(record)

    async def arrivals_since(self, received: int) -> list[dict[str, Any]]:
        """What the service received after its first so many calls, oldest first."""
        return (await self.provider.arrivals())[received:]

    async def asked_each_once(self, and_then_s: float) -> list[tuple[str, bool]]:
        """One call of each member at once, then a pause. Answers who was let through, and whether that one was on its
        own (before the call or after it): only what shares is bound by the fleet's circuit."""
        before = [await member.sees() for member in self]
        outcomes = await asyncio.gather(*(member.call() for member in self))
        after = [await member.sees() for member in self]
        await asyncio.sleep(and_then_s)
        return [
            (member.name, seen["away"] or sees["away"])
            for member, seen, (outcome,), sees in zip(self.members, before, outcomes, after, strict=True)
            if outcome != "refused"
        ]

    async def changes(self, members: Sequence[Member] | None = None) -> list[tuple[str, str]]:
        """What the fleet's circuit went through, as (from, to) in the order of epochs, whoever heard of it."""
        told = [event for m in members or self.members for event in await m.events() if event["scope"] == "fleet"]
        steps = {event["epoch"]: (event["from_state"], event["to_state"]) for event in told}
        return [step for _, step in sorted(steps.items())]

    async def until_changed(
        self, step: tuple[str, str], within_s: float, members: Sequence[Member] | None = None
    ) -> None:
        """Waits until one of them has heard that the fleet's circuit made that step, as (from, to)."""
        async with asyncio.timeout(within_s + SLACK_S):
            while step not in await self.changes(members):
                await asyncio.sleep(0.02)

    async def calls(self, for_s: float, per_s: float = 50) -> list[dict[str, Any]]:
        """Everybody calls for so long, so many times a second; answers the records."""
        await self.load(per_s)
        await asyncio.sleep(for_s)
        return await self.unload()

    async def unbothered(self, for_s: float) -> list[str]:
        """Everybody calls for so long; answers how those calls ended that did not end well."""
        return [record["outcome"] for record in await self.calls(for_s, 10) if record["outcome"] != "ok"]

    async def never_went_back(self, members: Sequence[Member] | None = None) -> None:
        """Invariant 1: nobody ever believed a lower epoch than before."""
        for member in members or self.members:
            believed = (await member.sees())["epoch"]
            epochs = [epoch for _, epoch, _ in await member.ask("beliefs")]
            assert believed in epochs, f"what {member.name} believes was meant to be noted: {epochs}"
            assert epochs == sorted(epochs), f"{member.name} went back: {epochs}"


CrewOf = Callable[..., Any]


@dataclass(eq=False)
class Yard:
    """Where crews come from."""

    workers: Pool
    proxies: Pool
    provider: Provider
    folder: Path
    numbers: Any = field(default_factory=itertools.count)

    @asynccontextmanager
    async def crew(
        self,
        size: int,
        *,
        wires: bool = False,
        policy: dict[str, Any] | None = None,
        redis_url: str | None = None,
        names: Sequence[str] | None = None,
        policies: Sequence[dict[str, Any]] | None = None,
        processes: Sequence[Process] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> AsyncIterator[Crew]:
        """A crew of `size`. `policy`: changes to POLICY (None: without that field); `policies`: one change for each.
        `redis_url`: another Redis than one of the crew's own. `processes`: to run in, instead of some of the pool's.
        `timeout_s`: of each call."""
        redis = RedisProcess(self.folder)
        taken = [*(processes or []), *self.workers.take(size - len(processes or []))]
        proxies = self.proxies.take(1 if wires else 0)
        async with AsyncExitStack() as stack:
            stack.callback(lambda: self.workers.give_back(taken[len(processes or []) :]))
            stack.callback(lambda: self.proxies.give_back(proxies))
            stack.callback(redis.kill)
            if redis_url is None:
                await asyncio.to_thread(redis.start)
            session = await stack.enter_async_context(aiohttp.ClientSession())
            controls = Controls(self.provider.url, session)
            await controls.forget()
            proxy = await proxies[0].remote() if wires else None
            if proxy is not None:
                stack.push_async_callback(proxy.aclose)
            crew = Crew([], redis, controls, f"test-{next(self.numbers)}")
            crew.policy, crew.timeout_s = {**POLICY, **(policy or {})}, timeout_s
            crew.members = list(
                await asyncio.gather(*(self._member(f"rag-{n}", p, proxy, redis) for n, p in enumerate(taken, 1)))
            )
            for n, member in enumerate(crew.members):
                stack.push_async_callback(member.ask.aclose)
                member.name = names[n] if names else member.name
            url = redis_url or redis.url
            await asyncio.gather(
                *(self.join(crew, m, url, (policies or [{}] * size)[n]) for n, m in enumerate(crew.members))
            )
            yield crew

    async def _member(self, name: str, process: Process, proxy: Remote | None, redis: RedisProcess) -> Member:
        member = Member(name, process, await process.remote())
        if proxy is not None:
            member.to_redis = Wire(proxy, await proxy("route", to=redis.port))
            member.to_provider = Wire(proxy, await proxy("route", to=self.provider.port))
        return member

    async def join(self, crew: Crew, member: Member, redis_url: str, policy: dict[str, Any]) -> None:
        to_redis, to_provider = member.to_redis, member.to_provider
        member.incarnation = await member.ask(
            "join",
            redis_url=f"redis://127.0.0.1:{to_redis.port}/0" if to_redis else redis_url,
            namespace=crew.namespace,
            replica=member.name,
            provider_url=f"http://127.0.0.1:{to_provider.port}" if to_provider else self.provider.url,
            policy={name: value for name, value in {**crew.policy, **policy}.items() if value is not None},
            timeout_s=crew.timeout_s,
        )
