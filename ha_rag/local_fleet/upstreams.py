"""Upstreams: the replicas behind the front, their readiness, and round robin over them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

CHECK_INTERVAL_S = 0.5
CHECK_TIMEOUT_S = 1.0
SILENT_CHECKS = 2
"""Checks in a row without an answer that make a replica not ready: a single one may be a busy machine."""


@dataclass(slots=True, kw_only=True)
class Upstream:
    """One replica. `url`: its address without a path. `ready`: the result of its last check."""

    name: str
    url: str
    ready: bool = False
    silent_checks: int = 0


class Upstreams:
    """All replicas, with round robin over the ready ones. Used on one event loop."""

    def __init__(self, replicas: Sequence[Upstream]) -> None:
        self._replicas = list(replicas)
        self._turn = 0

    @property
    def all(self) -> tuple[Upstream, ...]:
        """All replicas, ready or not."""
        return tuple(self._replicas)

    def in_turn(self) -> list[Upstream]:
        """The ready replicas, beginning with the next in turn; advances the turn."""
        ready = [replica for replica in self._replicas if replica.ready]
        if not ready:
            return []
        self._turn += 1
        start = self._turn % len(ready)
        return ready[start:] + ready[:start]

    async def keep_checking(self, session: aiohttp.ClientSession) -> None:
        """Polls the readiness of every replica until cancelled."""
        await asyncio.gather(*(self._keep_checking(replica, session) for replica in self._replicas))

    async def _keep_checking(self, replica: Upstream, session: aiohttp.ClientSession) -> None:
        while True:
            await check(replica, session)
            await asyncio.sleep(CHECK_INTERVAL_S)


async def check(replica: Upstream, session: aiohttp.ClientSession) -> None:
    """One check: a refusal counts at once, a timeout only when repeated."""
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
