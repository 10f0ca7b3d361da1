"""A soak: a fleet behind its front that is asked steadily while something goes wrong, and what its processes hold."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import aiohttp

from tests.fleet.floods import Floods
from tests.fleet.processes import Fleet, Process
from tests.fleet.soak_callers import Callers
from tests.fleet.soak_faults import CIRCUITS, Faults
from tests.fleet.soak_figures import Figures, Watched

QUIET_S = 8.0
"""Longer than any connection is kept idle: 5 s by a replica, 4 s to a service, 3 s by the front."""

CLOSED_S = 90.0
"""At most, until every circuit is closed: where other programs keep the machine busy, calls may exceed their 0.8 s."""

WARM_UP_S = 60.0
"""At most: each kind of fault once, if there is time for it."""

ROUNDS = 2
"""Of documents in the warm-up: to each replica eight."""


class Soak:
    """One fleet behind its front, asked while faults follow each other or floods come, and what its processes hold."""

    def __init__(self, fleet: Fleet, front: tuple[Process, str], session: aiohttp.ClientSession, seed: int) -> None:
        process, url = front
        self._fleet = fleet
        self.callers = Callers(session, url, random.Random(seed), fleet.replicas[-1].name)
        self.faults = Faults(fleet, session, url, seed)
        self._session = session
        self._steady = fleet.replicas[:-1]  # the last one is killed now and then
        self.floods = Floods(fleet, [url, *(replica.url for replica in self._steady)])
        self.watched = Watched({**{one.name: one.pid for one in self._steady}, "front": process.pid})

    async def warm_up(self) -> None:
        """Replicas have met every hostile body and some documents, and most faults but the services' have happened."""
        await self.faults.send_all_hostile()
        await self.faults.post_and_delete(ROUNDS)
        over = after(WARM_UP_S)
        most = self.faults.kinds
        await self._in_mixed_faults(
            lambda: over() or sum(not name.startswith("provider") for name in self.faults.happened) >= most
        )

    async def mixed_faults(self, for_s: float) -> None:
        self.watched.seen.clear()
        await self._in_mixed_faults(after(for_s))

    async def all_floods(self, for_s: float) -> None:
        self.watched.seen.clear()
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(for_s, over.set)
        async with asyncio.TaskGroup() as under_way:
            under_way.create_task(self.callers.keep_asking(over))
            under_way.create_task(self.watched.keep(over))
            under_way.create_task(self.floods.keep_coming(over))

    async def _in_mixed_faults(self, enough: Callable[[], bool]) -> None:
        over = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as under_way:
                under_way.create_task(self.callers.keep_asking(over))
                under_way.create_task(self.watched.keep(over))
                under_way.create_task(self.faults.of_the_services(over))
                await self.faults.of_the_rest(enough)
                over.set()
        finally:
            await self.faults.clear()

    async def quiet(self) -> dict[str, Figures]:
        """Everything is well, every circuit is closed, and nobody has asked for a while; what is held then."""
        await self._fleet.until_shared(CLOSED_S)
        for circuit in CIRCUITS:
            try:
                await self._fleet.until_all("closed", circuit, CLOSED_S, ask=True)
            except TimeoutError:
                raise AssertionError(f"{circuit} is not closed: {await self._fleet.believed(circuit)}") from None
        await asyncio.sleep(QUIET_S)
        return self.watched.now({one.name: await self._tasks(one.url) for one in self._steady})

    async def _tasks(self, url: str) -> int:
        async with self._session.get(f"{url}/metrics") as reply:
            (line,) = [line for line in (await reply.text()).splitlines() if line.startswith("ha_rag_tasks ")]
        return int(float(line.split()[1]))


def after(for_s: float) -> Callable[[], bool]:
    """Whether so many seconds have passed since."""
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + for_s
    return lambda: loop.time() >= ends_s
