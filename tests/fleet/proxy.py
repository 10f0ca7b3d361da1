"""A process that stands in the wire: TCP routes that can be slowed, frozen, cut and refused.

`python -m tests.fleet.proxy SOCKET`, driven through `control.Remote`:
    route(to, kept)  a new route to a port of this machine; answers the port to connect to, which also names the route.
                     It ends with the connection that made it; kept: with the process, and each connection that ends
                     leaves it as if nothing had happened to it
    set(route, ...)  delay_s: each reply arrives that much later, in order. frozen: nothing is passed on, either way.
                     refusing: nobody is let in, and whoever was in is cut off.
    cut(route)       tears down the route's connections; new ones are let in
    lose(route, ...) the next request with `word` in it is lost, or only the reply to it (reply: true), and with it its
                     connection
    repaired(route)  answers once that has happened, and the next request with the word has been answered
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fleet.control import Remote, serve

CHUNK = 65_536
Passes = Callable[[bytes], bool]


class Loss:
    """What is to be lost: the next request with `word` in it; `reply`: not the request, but what is answered to it.

    Without a word, nothing.
    """

    def __init__(self, word: bytes = b"", reply: bool = False) -> None:
        self._word, self._reply = word, reply
        self._happened = False
        self._unanswered: set[asyncio.StreamWriter] = set()
        self.repaired = asyncio.Event()

    def passes_on(self, request: bytes, there: asyncio.StreamWriter) -> bool:
        """Whether this request reaches the other side. `there`: names the connection."""
        if not self._word or self._word not in request:
            return True
        if not self._happened and not self._reply:
            self._happened = True
            return False
        self._unanswered.add(there)
        return True

    def passes_back(self, there: asyncio.StreamWriter) -> bool:
        """Whether what that connection's other side says now reaches who asked."""
        if there not in self._unanswered:
            return True
        self._unanswered.discard(there)
        if self._happened:
            self.repaired.set()
            return True
        self._happened = True
        return False


class Route:
    """One route, and the connections on it."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._delay_s = 0.0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._loss = Loss()
        self.port = 0

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def set(self, delay_s: float | None, frozen: bool | None, refusing: bool | None) -> None:
        if delay_s is not None:
            self._delay_s = delay_s
        if frozen is not None:
            (self._flowing.clear if frozen else self._flowing.set)()
        if refusing and self._server is not None:
            await self.refuse()
        elif refusing is False and self._server is None:
            await self.listen()

    async def refuse(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self.cut()

    @property
    def is_used(self) -> bool:
        """Whether a connection is open."""
        return bool(self._writers)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def lose(self, loss: Loss) -> None:
        self._loss = loss

    async def repaired(self) -> None:
        await self._loss.repaired.wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        await asyncio.gather(
            self._pass(reader, back, lambda data: self._loss.passes_on(data, back)),
            self._pass(there, writer, lambda _: self._loss.passes_back(back), delayed=True),
        )
        self._writers -= {writer, back}

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: Passes, delayed: bool = False
    ) -> None:
        """Passes on what comes, up to what does not pass, which ends the connection.

        Replies wait in a queue, so that a delay adds to each and not to their number.
        """
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        passing = asyncio.ensure_future(self._pass_on(queue, writer))
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if not passes(data):
                    break
                queue.put_nowait((loop.time() + (self._delay_s if delayed else 0.0), data))
        queue.put_nowait((0.0, b""))
        await passing

    async def _pass_on(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s, data = await queue.get()
            if not data:
                break
            await asyncio.sleep(due_s - loop.time())
            await self._flowing.wait()
            writer.write(data)
        writer.close()


KEPT: dict[int, Route] = {}
"""Routes that outlive a test."""


class Proxy:
    """The routes of one test."""

    def __init__(self) -> None:
        self._own: dict[int, Route] = {}

    @property
    def _routes(self) -> dict[int, Route]:
        return {**KEPT, **self._own}

    async def do_route(self, to: int, kept: bool = False) -> int:
        route = Route(to)
        await route.listen()
        (KEPT if kept else self._own)[route.port] = route
        return route.port

    async def do_set(
        self, route: int, delay_s: float | None = None, frozen: bool | None = None, refusing: bool | None = None
    ) -> None:
        await self._routes[route].set(delay_s, frozen, refusing)

    async def do_cut(self, route: int) -> None:
        self._routes[route].cut()

    async def do_lose(self, route: int, word: str, reply: bool) -> None:
        self._routes[route].lose(Loss(word.encode(), reply))

    async def do_repaired(self, route: int) -> None:
        await self._routes[route].repaired()

    async def aclose(self) -> None:
        for route in self._own.values():
            await route.set(0.0, False, True)
        for route in KEPT.values():
            await route.set(0.0, False, False)


@dataclass(frozen=True, slots=True)
class Wire:
    """The test's end of a route."""

    proxy: Remote
    port: int

    async def set(self, **how: Any) -> None:
        await self.proxy("set", route=self.port, **how)

    async def cut(self) -> None:
        await self.proxy("cut", route=self.port)

    async def lose(self, word: str, *, reply: bool) -> None:
        await self.proxy("lose", route=self.port, word=word, reply=reply)

    async def repaired(self) -> None:
        await self.proxy("repaired", route=self.port)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Proxy))
