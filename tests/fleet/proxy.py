"""A process that stands in the wire: TCP routes that can be slowed, frozen, cut and refused.

`python -m tests.fleet.proxy SOCKET`, driven through `control.Remote`:
    route(to, kept)  a new route to a port of this machine; answers the port to connect to, which also names the route.
                     It ends with the connection that made it; kept: with the process, and each connection that ends
                     leaves it as if nothing had happened to it
    set(route, ...)  delay_s: each reply arrives that much later, in order. frozen: nothing is passed on, either way.
                     refusing: nobody is let in, and whoever was in is cut off.
    cut(route)       tears down the route's connections; new ones are let in
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fleet.control import Remote, serve

CHUNK = 65_536


class Route:
    """One route, and the connections on it."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._delay_s = 0.0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
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

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        await asyncio.gather(self._pass(reader, back, delayed=False), self._pass(there, writer, delayed=True))
        self._writers -= {writer, back}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, delayed: bool) -> None:
        """Passes on what comes. Replies wait in a queue, so that a delay adds to each and not to their number."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        passing = asyncio.ensure_future(self._pass_on(queue, writer))
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
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


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Proxy))
