"""Clients that connect to the front and say nothing, or say it letter by letter, are not waited for without end."""

from __future__ import annotations

import asyncio

from aiohttp import web

LOOK_S = 1.0


class Patience:
    """Ends connections that have asked nothing within `head_s` seconds. aiohttp itself waits for ever.

    (Between two requests of one connection aiohttp's own keep-alive time counts.) For one event loop.
    """

    def __init__(self, head_s: float) -> None:
        self._head_s = head_s
        self._asked: set[web.RequestHandler] = set()
        self._since: dict[web.RequestHandler, float] = {}

    def asked(self, request: web.Request) -> None:
        """The request's connection has asked something."""
        self._asked.add(request.protocol)

    async def keep(self, server: web.Server) -> None:
        """Looks over the server's connections until cancelled."""
        while True:
            self.look(server, asyncio.get_running_loop().time())
            await asyncio.sleep(min(LOOK_S, self._head_s))

    def look(self, server: web.Server, now_s: float) -> None:
        """Looks once."""
        living = set(server.connections)
        self._asked &= living
        self._since = {connection: self._since.get(connection, now_s) for connection in living - self._asked}
        for connection, since_s in self._since.items():
            if now_s - since_s > self._head_s:
                connection.force_close()
