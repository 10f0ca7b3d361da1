"""Cancels a question whose client has closed the connection."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ha_rag.http.metrics import QUESTIONS

WATCHED_AFTER_S = 0.02
"""A question answered sooner is not watched: the task that watches would cost more than it could save."""


class CancelOnDisconnect:
    """Middleware that cancels a question when its client disconnects, before the reply or in the middle of it.

    The cancellation reaches the call to the service, which closes its connection; probes run in tasks of their own and
    continue. Nothing is sent. Other requests run to their end: a change must not be half made.
    """

    def __init__(self, app: ASGIApp, watched_after_s: float = WATCHED_AFTER_S) -> None:
        self.app = app
        self.watched_after_s = watched_after_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        if scope["type"] != "http" or scope["path"] not in QUESTIONS or task is None:
            await self.app(scope, receive, send)
            return
        watch = _Watch(receive, send, task, self.watched_after_s)
        try:
            await self.app(scope, watch.receive, watch.send)
        except asyncio.CancelledError:
            if not watch.has_cancelled or task.cancelling() > 1:  # the server cancels requests too, when it stops
                raise
        finally:
            watch.end()
            if watch.has_cancelled:
                task.uncancel()


class _Watch:
    """Waits for the disconnect of one request's client, from the end of its body until the end of the reply.

    `task`: cancelled at the disconnect.
    """

    def __init__(self, receive: Receive, send: Send, task: asyncio.Task[object], after_s: float) -> None:
        self._receive = receive
        self._send = send
        self._task = task
        self._after_s = after_s
        self._timer: asyncio.TimerHandle | None = None
        self._watching: asyncio.Task[None] | None = None
        self.has_cancelled = False

    async def receive(self) -> Message:
        """The request's next message. After the body, only a disconnect can follow: watching for it begins."""
        message = await self._receive()
        if self._timer is None and message["type"] == "http.request" and not message.get("more_body", False):
            self._timer = asyncio.get_running_loop().call_later(self._after_s, self._begin)
        return message

    async def send(self, message: Message) -> None:
        """Sends a part of the reply. After the last one, a disconnect is the normal end of a connection."""
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.end()
        await self._send(message)

    def end(self) -> None:
        """Stops watching. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.has_cancelled = True
        self._task.cancel()
