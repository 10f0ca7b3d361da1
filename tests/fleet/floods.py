"""Floods of different kinds, all at once, in waves."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

import redis.asyncio

from tests.fleet.processes import Fleet
from tests.fleet.soak_faults import CIRCUITS, HOSTILE
from tests.ledger.test_forged_messages import FORGED, message

AT_A_TIME = 100
"""Connections of one wave."""

BYTE_S = 1.0
"""Between two bytes of a slow client."""

PAUSE_S = 0.1
"""After each wave: the machine has its questions to answer, too."""

Wave = Callable[[], Awaitable[object]]
HEAD = b"POST /v1/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Floods:
    """Sends them to `urls` in turn, and to the fleet's Redis. `sent`: how many of each kind."""

    def __init__(self, fleet: Fleet, urls: Sequence[str]) -> None:
        self._fleet = fleet
        self._places = [(parts.hostname or "", parts.port or 0) for parts in map(urlsplit, urls)]
        self.sent: Counter[str] = Counter()

    async def keep_coming(self, enough: asyncio.Event) -> None:
        """Until then; those under way are ended."""
        waves = (self._connections, self._slow_bodies, self._hostile_bodies, self._cut_bodies, self._messages)
        running = [asyncio.create_task(again_and_again(wave, enough)) for wave in waves]
        await enough.wait()
        for one in running:
            one.cancel()
        for one in running:
            with contextlib.suppress(asyncio.CancelledError):
                await one

    async def _connections(self) -> None:
        """A wave that says half a line and leaves."""
        await asyncio.gather(*(self._said(number, b"POST /v1/qu") for number in range(AT_A_TIME)))
        self.sent["connections"] += AT_A_TIME

    async def _cut_bodies(self) -> None:
        """Bodies that end in the middle."""
        said = HEAD % 1000 + b'{"question": "' + b"a" * 400
        await asyncio.gather(*(self._said(number, said) for number in range(AT_A_TIME)))
        self.sent["bodies cut off"] += AT_A_TIME

    async def _slow_bodies(self) -> None:
        """One byte a second, longer than anybody waits for a body."""
        await asyncio.gather(*(self._drips(number) for number in range(AT_A_TIME)))
        self.sent["bodies of a byte a second"] += AT_A_TIME

    async def _drips(self, number: int) -> None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(*self._places[number % len(self._places)])
            try:
                writer.write(HEAD % 1000)
                for _ in range(60):
                    writer.write(b"a")
                    await writer.drain()
                    await asyncio.sleep(BYTE_S)
            finally:
                writer.close()

    async def _hostile_bodies(self) -> None:
        for number, (path, body) in enumerate(HOSTILE.values()):
            head = (HEAD % len(body)).replace(b"/v1/query", path.encode())
            await self._said(number, head + body, hear=True)
            self.sent["hostile bodies"] += 1

    async def _messages(self) -> None:
        """Forged ones, and some that are none."""
        async with redis.asyncio.Redis.from_url(self._fleet.redis.url) as client:
            seconds, micros = await client.time()
            now_ms = int(seconds) * 1000 + int(micros) // 1000
            for changed in FORGED.values():
                _, *items = json.loads(message(now_ms, changed))
                for said in (*(json.dumps([circuit, *items]) for circuit in CIRCUITS), "[" * 1000, "none"):
                    await client.publish("test:changes", said)
                    self.sent["messages"] += 1

    async def _said(self, number: int, said: bytes, *, hear: bool = False) -> None:
        """Opens a connection, says that and leaves; hears the begin of the reply first if told to."""
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(*self._places[number % len(self._places)])
            try:
                writer.write(said)
                await writer.drain()
                if hear:
                    await reader.read(100)
            finally:
                writer.close()


async def again_and_again(wave: Wave, enough: asyncio.Event) -> None:
    """Until then, also if being cancelled is lost: before Python 3.12 `wait_for`, which redis-py uses, may do that."""
    while not enough.is_set():
        await wave()
        await asyncio.sleep(PAUSE_S)
