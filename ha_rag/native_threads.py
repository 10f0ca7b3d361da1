"""Threads, locks and event loops of the operating system, also in a program that gevent or eventlet has patched.

There `threading.Thread` is a greenlet of the calling thread, and an asyncio loop on it would stop all others. So the
originals are taken from the library that replaced them.
"""

from __future__ import annotations

import asyncio
import functools
import select
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Given = TypeVarTuple("Given")

POLL_S = 0.002
"""How often a greenlet looks whether a native thread is done: it cannot be woken from another thread."""


def _gevent(name: str) -> Callable[[str], Any] | None:
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return None
    return lambda attribute: monkey.get_original(name, attribute)


def _eventlet(name: str) -> Callable[[str], Any] | None:
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is None or not patcher.is_monkey_patched("thread"):
        return None
    return lambda attribute: getattr(patcher.original(name), attribute)


def _original(name: str) -> Callable[[str], Any] | None:
    """Looks up the original attributes of a patched module; None if threads are not patched."""
    return _gevent(name) or _eventlet(name)


def are_patched() -> bool:
    """Whether gevent or eventlet has replaced the threads of this process."""
    return _original("_thread") is not None


def new_lock() -> threading.Lock:
    """A lock between native threads. Hold it only for moments: waiting for it stops all greenlets of the thread."""
    original = _original("_thread")
    lock: threading.Lock = threading.Lock() if original is None else original("allocate_lock")()
    return lock


class NativeThread:
    """A daemon thread that runs `work`, started at once. Raises RuntimeError if it cannot be started."""

    def __init__(self, work: Callable[[], object], name: str) -> None:
        self._ended: Future[None] = Future()
        self._thread: threading.Thread | None = None
        original = _original("_thread")
        if original is None:
            self._thread = threading.Thread(target=work, name=name, daemon=True)
            self._thread.start()
        else:
            original("start_new_thread")(self._run, (work,))

    def _run(self, work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            self._ended.set_result(None)

    def join(self) -> None:
        """Waits until the thread has ended."""
        if self._thread is not None:
            self._thread.join()
        else:
            wait_for(self._ended)


def wait_for(future: Future[Any], timeout_s: float | None = None) -> bool:
    """Waits for what another thread does; returns whether it was done in time. Lets other greenlets run meanwhile."""
    if not are_patched():
        return bool(wait({future}, timeout_s).done)
    return wait_until(future.done, timeout_s)


def wait_until(is_done: Callable[[], bool], timeout_s: float | None = None) -> bool:
    """Looks again and again; for patched programs only."""
    end_s = None if timeout_s is None else time.monotonic() + timeout_s
    while not is_done():
        if end_s is not None and time.monotonic() >= end_s:
            return False
        time.sleep(POLL_S)
    return True


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop for a native thread."""
    if not are_patched():
        return asyncio.new_event_loop()
    return _NativeLoop(_native_selector())


def _native_selector() -> selectors.BaseSelector:
    original = _original("select") or functools.partial(getattr, select)

    class NativeSelector(selectors._PollLikeSelector):  # noqa: SLF001 - eventlet removes the public PollSelector
        _selector_cls = original("poll")
        _EVENT_READ, _EVENT_WRITE = select.POLLIN, select.POLLOUT

    selector: selectors.BaseSelector = NativeSelector()
    return selector


class _NativeLoop(asyncio.SelectorEventLoop):
    """An event loop whose executor starts native threads: a pool of greenlets would never run beside it."""

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Given]], T], *args: *Given
    ) -> asyncio.Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            try:
                future.set_result(func(*args))
            except BaseException as error:  # handed to the caller
                future.set_exception(error)

        NativeThread(work, "ha-rag")
        return asyncio.wrap_future(future, loop=self)

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        original = _original("socket")
        look_up = socket.getaddrinfo if original is None else original("getaddrinfo")
        return await self.run_in_executor(None, functools.partial(look_up, host, port, **hints))
