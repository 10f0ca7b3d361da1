"""An event loop on a background thread, for programs without one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from ha_rag.forks import left_to_parent, renewed_in_child
from ha_rag.native_threads import NativeThread, new_lock, new_loop, wait_for

T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines on one background thread, started at first use. Safe across threads and forks.

    The loop keeps running between calls, so that connections stay open, detached probes end and updates arrive. A
    forked child starts a loop of its own.
    `instead`: what a caller inside an event loop should use, named in the error.
    """

    def __init__(self, instead: str) -> None:
        self._instead = instead
        self._lock = new_lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: NativeThread | None = None
        renewed_in_child(self)

    def renew_in_child(self) -> None:
        """Forgets the parent's loop."""
        left_to_parent(self._loop, self._thread)
        self._lock, self._loop, self._thread = new_lock(), None, None

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Runs `work()`, blocks until it is done and returns its result. Raises RuntimeError inside an event loop."""
        self.check_may_block()
        future = self.start(work)
        try:
            wait_for(future)
            return future.result()
        except BaseException:
            future.cancel()  # for example Ctrl-C while waiting: the result is no longer needed
            raise

    def start(self, work: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Starts `work()` and returns its future. Raises RuntimeError if the thread cannot be started."""
        loop = self._running()
        return asyncio.run_coroutine_threadsafe(work(), loop)

    def check_may_block(self) -> None:
        """Raises RuntimeError inside an event loop, which waiting would block."""
        if _inside_a_loop():
            raise RuntimeError(f"this call would block the running event loop: use {self._instead}")

    def close(self, before: Callable[[], Awaitable[None]]) -> None:
        """Awaits `before()` on the loop and ends the thread. Does nothing if the loop was never started."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        ended = asyncio.run_coroutine_threadsafe(_await(before), loop)
        wait_for(ended)
        ended.result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = new_loop()
                try:
                    self._thread = NativeThread(loop.run_forever, name="ha-rag")
                except RuntimeError:
                    loop.close()
                    raise
                self._loop = loop
            return self._loop


async def _await(before: Callable[[], Awaitable[None]]) -> None:
    await before()


def _inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
