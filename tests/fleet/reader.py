"""What a replica tells whoever listens at GET /v1/events."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import aiohttp

from tests.fleet.processes import Replica

CIRCUIT = "embedder.primary"


class Reader:
    """Hears what one replica tells. `heard`: the events, in the order in which they came."""

    def __init__(self, replica: Replica, last_id: str = "") -> None:
        self._url = f"{replica.url}/v1/events"
        self._headers = {"Last-Event-ID": last_id} if last_id else {}
        self._task: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self.heard: list[dict[str, Any]] = []

    async def __aenter__(self) -> Reader:
        self._task = asyncio.create_task(self._read())
        await asyncio.wait_for(self._connected.wait(), 10)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _read(self) -> None:
        async with aiohttp.ClientSession() as session, session.get(self._url, headers=self._headers) as reply:
            fields: dict[str, str] = {}
            async for raw in reply.content:
                self._connected.set()
                line = raw.decode().rstrip("\n")
                if not line and fields.get("event") == "event":
                    event = json.loads(fields["data"])
                    assert event["id"] == fields.get("id", "")
                    self.heard.append(event)
                if not line:
                    fields = {}
                elif not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    fields[name] = value

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [(e["before"], e["after"]) for e in self.heard if e["kind"] == "circuit" and e["circuit"] == CIRCUIT]

    @property
    def losses(self) -> int:
        """How many times the replica lost Redis, and decided alone until it was back."""
        return sum(event["kind"] == "redis_lost" for event in self.heard)

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.heard if event["id"]]
