"""An event loop on a background thread, for programs without one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines on one background thread, started at first use. Safe across threads.

    The loop keeps running between calls, so that connections stay open, detached probes end and updates arrive.
    `instead`: what a caller inside an event loop should use, named in the error.
    """

    def __init__(self, instead: str) -> None:
        self._instead = instead
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Runs `work()`, blocks until it is done and returns its result. Raises RuntimeError inside an event loop."""
        if _inside_a_loop():
            raise RuntimeError(f"this call would block the running event loop: use {self._instead}")
        future = asyncio.run_coroutine_threadsafe(work(), self._running())
        try:
            return future.result()
        except BaseException:
            future.cancel()  # for example Ctrl-C while waiting: the result is no longer needed
            raise

    def close(self, before: Callable[[], Awaitable[None]]) -> None:
        """Awaits `before()` on the loop and ends the thread. Does nothing if the loop was never started."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_await(before), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="ha-rag", daemon=True)
                self._thread.start()
            return self._loop


async def _await(before: Callable[[], Awaitable[None]]) -> None:
    await before()


def _inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
