"""The replicas behind the front: which of them are ready, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

CHECK_INTERVAL_S = 0.5
CHECK_TIMEOUT_S = 1.0
SILENT_CHECKS = 2
"""So many checks in a row without an answer make a replica not ready: one alone may be a busy machine."""


@dataclass(slots=True, kw_only=True)
class Upstream:
    """One replica. `url`: its address without a path. `ready`: whether it answered its last check well."""

    name: str
    url: str
    ready: bool = False
    silent_checks: int = 0


class Upstreams:
    """All of them, in a round robin of those that are ready. For one event loop."""

    def __init__(self, replicas: Sequence[Upstream]) -> None:
        self._replicas = list(replicas)
        self._turn = 0

    @property
    def all(self) -> tuple[Upstream, ...]:
        """Every one of them, ready or not."""
        return tuple(self._replicas)

    def in_turn(self) -> list[Upstream]:
        """Those that are ready, the one whose turn it is first; an empty list where none is. Passes the turn on."""
        ready = [replica for replica in self._replicas if replica.ready]
        if not ready:
            return []
        self._turn += 1
        start = self._turn % len(ready)
        return ready[start:] + ready[:start]

    async def keep_checking(self, session: aiohttp.ClientSession) -> None:
        """Asks every replica for its readiness again and again, until cancelled."""
        await asyncio.gather(*(self._keep_checking(replica, session) for replica in self._replicas))

    async def _keep_checking(self, replica: Upstream, session: aiohttp.ClientSession) -> None:
        while True:
            await check(replica, session)
            await asyncio.sleep(CHECK_INTERVAL_S)


async def check(replica: Upstream, session: aiohttp.ClientSession) -> None:
    """Asks once; a refusal counts at once, silence only when it goes on."""
    try:
        timeout = aiohttp.ClientTimeout(total=CHECK_TIMEOUT_S)
        async with session.get(f"{replica.url}/health/ready", timeout=timeout) as reply:
            replica.ready, replica.silent_checks = reply.status == 200, 0
    except TimeoutError:
        replica.silent_checks += 1
        if replica.silent_checks >= SILENT_CHECKS:
            replica.ready = False
    except aiohttp.ClientError:
        replica.ready = False
