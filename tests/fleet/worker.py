"""A process that holds one circuit around calls to the counting provider: a replica without the RAG.

`python -m tests.fleet.worker SOCKET`, driven through `control.Remote`. A connection is one replica's life: `join`
begins it, the end of the connection ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.errors import CircuitOpenError
from ha_rag.events import Event
from ha_rag.ledger.view.cached_snapshot import CachedSnapshot
from tests.fleet.control import serve

CIRCUIT = "svc"
QUESTION = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "well?"}]}


class CallFailedError(Exception):
    """The provider answered with an error; one that asks for a rest says for how long."""

    def __init__(self, status: int, retry_after_s: float | None) -> None:
        super().__init__(f"HTTP {status}")
        self.retry_after_s = retry_after_s


class RememberedBelief(CachedSnapshot):
    """A belief that keeps all it ever was in `log`, (moment, epoch, state): also what was believed for an instant."""

    def __init__(self, log: list[list[Any]]) -> None:
        self._log = log
        super().__init__()

    @property
    def snapshot(self) -> Snapshot:
        return self._snapshot

    @snapshot.setter
    def snapshot(self, believed: Snapshot) -> None:
        self._snapshot = believed
        if not self._log or self._log[-1][1:] != [believed.epoch, believed.state]:
            self._log.append([time.monotonic(), believed.epoch, believed.state])


class Busy:
    """How long this thread has run, or waited for a processor, so far: what is left of a time is what it waited for.

    The kernel's word, and not how late the loop was: a call that blocks the loop while it waits for Redis makes the
    loop late by just that. Zero where the kernel does not tell.
    """

    def __init__(self) -> None:
        self._told: int | None = None
        with contextlib.suppress(OSError):
            self._told = os.open("/proc/thread-self/schedstat", os.O_RDONLY)

    def so_far_s(self) -> float:
        if self._told is None:
            return 0.0
        ran_ns, stood_in_line_ns, _ = os.pread(self._told, 100, 0).split()
        return (int(ran_ns) + int(stood_in_line_ns)) / 1e9


BUSY = Busy()


class Waits:
    """How long a call has waited, with nothing to do, while it was watched: for its circuit, not for the service."""

    def __init__(self) -> None:
        self.so_far_s = 0.0
        self._watched_from: tuple[float, float] | None = None

    def watch(self) -> None:
        self._watched_from = BUSY.so_far_s(), time.monotonic()

    def look_away(self) -> None:
        if self._watched_from is not None:
            (busy_s, since_s), self._watched_from = self._watched_from, None
            self.so_far_s += time.monotonic() - since_s - (BUSY.so_far_s() - busy_s)


class Worker:
    """One replica. Times are monotonic seconds, which on Linux all processes share."""

    def __init__(self) -> None:
        self._circuits: CircuitRegistry | None = None
        self._stack = contextlib.AsyncExitStack()
        self._events: list[dict[str, Any]] = []
        self._beliefs: list[list[Any]] = []
        self._calls: list[dict[str, Any]] = []
        self._loads: set[asyncio.Task[Any]] = set()
        self._quiet = asyncio.Event()

    @property
    def _breaker(self) -> CircuitBreaker:
        assert self._circuits is not None, "join first"
        return self._circuits.breaker(CIRCUIT)

    # ---- verbs ------------------------------------------------------------------------------------------------------

    async def do_join(
        self,
        redis_url: str | None,
        namespace: str,
        replica: str,
        provider_url: str,
        policy: dict[str, Any],
        timeout_s: float,
    ) -> str:
        """Joins the fleet; answers the incarnation."""
        self._url, self._timeout_s = f"{provider_url}/v1/chat/completions", timeout_s
        self._circuits = CircuitRegistry.connect(
            redis_url, namespace=namespace, replica=replica, sinks=[self._note_event]
        )
        breaker = self._circuits.breaker(CIRCUIT, CircuitPolicy(**policy), timeout_s=timeout_s)
        state = breaker._view._effective
        state.fleet = state.received = RememberedBelief(self._beliefs)
        self._session = await self._stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                headers={"X-HA-RAG-Replica": replica},
                timeout=aiohttp.ClientTimeout(total=None),
            )
        )
        await self._stack.enter_async_context(self._circuits)
        return self._circuits.incarnation

    async def do_leave(self) -> None:
        await self.aclose()

    async def do_call(self, times: int = 1, at_once: bool = False, cancel_after_s: float | None = None) -> list[Any]:
        """Makes guarded calls, one after another or all at once; answers each one's record."""
        if at_once:
            return list(await asyncio.gather(*(self._call(cancel_after_s) for _ in range(times))))
        return [await self._call(cancel_after_s) for _ in range(times)]

    async def do_load(self, per_s: float, after_s: float) -> None:
        """Calls from then on, so many times a second, however long each takes."""
        self._quiet.clear()
        load = asyncio.ensure_future(self._load(per_s, after_s))
        self._loads.add(load)

    async def do_unload(self) -> list[Any]:
        """Stops calling, waits for what is under way, and answers the records of all calls since the last time."""
        self._quiet.set()
        loads, self._loads = self._loads, set()
        await asyncio.gather(*loads)
        calls, self._calls = self._calls, []
        return calls

    async def do_see(self) -> dict[str, Any]:
        """What it believes now."""
        assert self._circuits is not None
        view, breaker = self._breaker._view, self._breaker
        return {
            "state": breaker.state, "fleet": view.fleet.state, "epoch": view.fleet.epoch,
            "away": view.ledger_unreachable, "overlaid": view.is_tripped_locally(), "freshness": breaker.shared_state,
            "reason": view.fleet.reason, "open_count": view.fleet.open_count, "opened_by": view.fleet.opened_by,
            "left_ms": view.fleet.left_ms, "voters": list(view.fleet.voters), "failed": view.fleet.counts.failed,
        }  # fmt: skip

    async def do_clock(self) -> dict[str, float]:
        """What time it is, as this process sees it."""
        return {"unix_s": time.time(), "monotonic_s": time.monotonic()}

    async def do_fleet(self) -> dict[str, Any]:
        """What every replica last said of itself."""
        assert self._circuits is not None
        return dataclasses.asdict(await self._circuits.fleet())

    async def do_events(self) -> list[dict[str, Any]]:
        """Every event since it joined, with the moment at which it was told."""
        return self._events

    async def do_beliefs(self) -> list[list[Any]]:
        """Every (moment, epoch, state) that it believed of the fleet, from the moment on at which it did."""
        return self._beliefs

    # ---- calls ------------------------------------------------------------------------------------------------------

    async def _call(self, cancel_after_s: float | None = None) -> dict[str, Any]:
        waits = Waits()
        waits.watch()
        record: dict[str, Any] = {"begun_s": time.monotonic(), "sent_s": None}
        task = asyncio.ensure_future(self._guarded(record, waits))
        if cancel_after_s is not None:
            asyncio.get_running_loop().call_later(cancel_after_s, task.cancel)
        try:
            await task
            record["outcome"] = "ok"
        except CircuitOpenError as error:
            record |= {"outcome": "refused", "state": error.state, "retry_after_s": error.retry_after_s}
        except asyncio.CancelledError:
            record["outcome"] = "cancelled"
        except Exception as error:
            record |= {"outcome": "failed", "why": f"{type(error).__name__}: {error}"}
        record["ended_s"] = time.monotonic()
        waits.look_away()
        record["waited_s"] = waits.so_far_s
        return record

    async def _guarded(self, record: dict[str, Any], waits: Waits) -> None:
        record["met"] = self._breaker.state
        await self._breaker.call(self._fetch, record, waits)

    async def _fetch(self, record: dict[str, Any], waits: Waits) -> None:
        record["sent_s"] = time.monotonic()
        waits.look_away()
        try:
            await self._ask_provider()
        finally:
            waits.watch()

    async def _ask_provider(self) -> None:
        async with asyncio.timeout(self._timeout_s), self._session.post(self._url, json=QUESTION) as reply:
            await reply.read()
            if reply.status >= 400:
                asked = reply.headers.get("Retry-After")
                raise CallFailedError(reply.status, float(asked) if asked else None)

    async def _load(self, per_s: float, after_s: float) -> None:
        await asyncio.sleep(after_s)
        loop = asyncio.get_running_loop()
        due_s, under_way = loop.time(), set()
        while not self._quiet.is_set():
            task = asyncio.ensure_future(self._call())
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            task.add_done_callback(lambda done: self._calls.append(done.result()))
            # What a busy machine or a pause kept from being called is not made up for all at once.
            due_s = max(due_s + 1 / per_s, loop.time() - 1 / per_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), max(0.0, due_s - loop.time()))
        await asyncio.gather(*under_way)

    # ---- what is noted ----------------------------------------------------------------------------------------------

    def _note_event(self, event: Event) -> None:
        self._events.append({"kind": event.kind, "told_s": time.monotonic(), **dataclasses.asdict(event)})

    async def aclose(self) -> None:
        self._quiet.set()
        for load in self._loads:
            load.cancel()
        await self._stack.aclose()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Worker))
