"""GET /v1/events over a whole fleet: each transition once, with who, why and counts, wherever it is heard."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import aiohttp
import pytest

from tests.fleet.processes import Fleet, Replica
from tests.waiting import until

pytestmark = pytest.mark.fleet

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
    def ids(self) -> list[str]:
        return [event["id"] for event in self.heard if event["id"]]


OPENED, TRIED, CLOSED = ("closed", "open"), ("open", "half_open"), ("half_open", "closed")


async def test_each_transition_is_told_once_by_every_replica_with_who_why_and_counts(fleet: Fleet) -> None:
    one, two, three = fleet.replicas
    async with Reader(one) as a, Reader(two) as b, Reader(three) as c:
        await fleet.provider.fail("embeddings")
        for _ in range(3):
            await two.ask()
        await until(lambda: all(reader.changes == [OPENED] for reader in (a, b, c)))
        await fleet.provider.mend()
        await fleet.until_all("closed", CIRCUIT, within_s=15, ask=True)
        await until(lambda: all(reader.changes == [OPENED, TRIED, CLOSED] for reader in (a, b, c)))

    assert a.ids == b.ids == c.ids
    assert len(set(a.ids)) == len(a.ids)
    opening = a.heard[0]
    assert (opening["by"], opening["failed"]) == ("rag-2", opening["samples"])
    assert "failed" in opening["reason"]


async def test_who_comes_back_to_another_replica_hears_what_was_missed_and_nothing_twice(fleet: Fleet) -> None:
    one, two, three = fleet.replicas
    async with Reader(three) as witness:
        async with Reader(one) as before:
            await fleet.provider.fail("embeddings")
            for _ in range(3):
                await two.ask()
            await until(lambda: before.changes == [OPENED])
        await fleet.provider.mend()
        await fleet.until_all("closed", CIRCUIT, within_s=15, ask=True)
        await until(lambda: witness.changes == [OPENED, TRIED, CLOSED])

        async with Reader(two, last_id=before.ids[-1]) as after:
            await until(lambda: after.changes == [TRIED, CLOSED])
            await one.override(CIRCUIT)  # whatever was told twice would have come before it
            await until(lambda: [e["kind"] for e in witness.heard[-2:]] == ["override", "override"])
            await until(lambda: after.ids[-1:] == witness.ids[-1:])

    assert before.ids + after.ids == witness.ids
