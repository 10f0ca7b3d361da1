"""Membership: whether this process is a member of the fleet, and on which event loop its link runs.

A registry can be entered with `async with` (on that event loop) or `with` (on a background thread), several times: the
last exit leaves. One that was not entered joins on a background thread at its first call, and so does one whose event
loop has ended, or whose process was forked.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

from ha_rag.background import BackgroundLoop
from ha_rag.forks import leaves_at_exit, left_to_parent
from ha_rag.ledger.sync.background_tasks import running_loop
from ha_rag.native_threads import new_lock, wait_for

log = logging.getLogger(__name__)

T = TypeVar("T")

JOIN_WAIT_S = 0.5
"""How long the first calls wait until the state of the fleet is known, at most."""


class Membership:
    """Joins and leaves once, however often it is asked. Safe from any thread, task and event loop.

    `begin`, `end`: start and stop the link on the running event loop. `forsake`: drops a link whose loop is gone.
    `at_first_use`: whether to join at the first call.
    """

    def __init__(
        self,
        begin: Callable[[], Awaitable[None]],
        end: Callable[[], Awaitable[None]],
        forsake: Callable[[], None],
        *,
        rejoins: bool,
        at_first_use: bool,
    ) -> None:
        self._begin, self._end, self._forsake = begin, end, forsake
        self._rejoins = rejoins
        self._is_due = at_first_use
        self._depth = 0
        self._lock = new_lock()
        self._joined: Future[None] | None = None
        self._home: asyncio.AbstractEventLoop | None = None
        self._thread: BackgroundLoop | None = None

    # ---- entering ---------------------------------------------------------------------------------------------------

    async def enter(self) -> None:
        """Joins on the running event loop, unless this process is a member already."""
        loop = asyncio_loop("a circuit registry")
        self.check_home()
        begun, joined = self._entered()
        try:
            if begun:
                await self._begin_here(loop, joined)
            else:
                await asyncio.wait({asyncio.wrap_future(joined)})
        except BaseException:
            await self.leave()
            raise

    async def _begin_here(self, loop: asyncio.AbstractEventLoop, joined: Future[None]) -> None:
        self._home = loop
        try:
            await self._begin()
        finally:
            joined.set_result(None)

    def enter_sync(self) -> None:
        """Joins on a background thread, unless this process is a member already."""
        self.check_home()
        if self._joined is None:
            BackgroundLoop("`async with`").check_may_block()
        begun, joined = self._entered()
        if begun:
            self._start_thread(joined)
        wait_for(joined)

    def _entered(self) -> tuple[bool, Future[None]]:
        """One more entry. Returns whether it is the one that joins, and what is done once that has happened."""
        with self._lock:
            self._depth += 1
            self._is_due = False
            if self._joined is not None:
                return False, self._joined
            self._joined = Future()
            return True, self._joined

    # ---- leaving ----------------------------------------------------------------------------------------------------

    async def leave(self) -> None:
        """Undoes one entry; the last one leaves the fleet."""
        if not self._is_last_exit():
            return
        home, thread = self._clear()
        if thread is not None:
            await asyncio.to_thread(thread.close, self._end)
        elif home is running_loop():
            await self._end()
        elif home is not None and home.is_running():
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_run(self._end), home))
        else:
            self._forsake()

    def leave_sync(self) -> None:
        """`leave` for synchronous code."""
        if self._is_last_exit():
            self._leave_blocking()

    def leave_at_exit(self) -> None:
        """Sends the last reports of a process that did not leave."""
        if self._thread is not None:
            self._leave_blocking()

    def _leave_blocking(self) -> None:
        home, thread = self._clear()
        if thread is not None:
            thread.close(self._end)
        elif home is None or not home.is_running():
            self._forsake()
        elif home is running_loop():
            home.create_task(_run(self._end))  # it cannot be waited for here
        else:
            wait_for(asyncio.run_coroutine_threadsafe(_run(self._end), home))

    def _is_last_exit(self) -> bool:
        with self._lock:
            self._depth = max(0, self._depth - 1)  # a forked child leaves blocks that its parent entered
            return self._depth == 0 and self._joined is not None

    def _clear(self) -> tuple[asyncio.AbstractEventLoop | None, BackgroundLoop | None]:
        joined = self._joined
        if self._thread is not None and joined is not None:
            wait_for(joined)
        with self._lock:
            home, thread = self._home, self._thread
            self._joined = self._home = self._thread = None
            return home, thread

    # ---- joining by itself ------------------------------------------------------------------------------------------

    def use(self) -> Future[None] | None:
        """A call is about to be made: joins if that is due. Returns what the call may wait for; None: nothing."""
        if self._is_due:
            self._join_by_itself()
        joined = self._joined
        return None if joined is None or joined.done() else joined

    def stay_apart(self) -> None:
        """No call joins by itself any more."""
        with self._lock:
            self._is_due = False

    def _join_by_itself(self) -> None:
        with self._lock:
            if not self._is_due:  # another thread came first
                return
            self._is_due = False
            joined = self._joined = Future()
        try:
            self._start_thread(joined)
        except RuntimeError as error:  # no more threads, or the interpreter is shutting down
            joined.set_result(None)
            self._clear()
            log.warning("the circuits of this process are local, not shared: no thread could be started (%s)", error)

    def _start_thread(self, joined: Future[None]) -> None:
        self._thread = thread = BackgroundLoop("`async with`")
        thread.start(lambda: self._begin_on_thread(joined))
        leaves_at_exit(self)

    async def _begin_on_thread(self, joined: Future[None]) -> None:
        self._home = asyncio.get_running_loop()
        try:
            await self._begin()
        except Exception:
            log.exception("the circuits of this process are local, not shared: joining the fleet failed")
        finally:
            joined.set_result(None)

    async def joined_soon(self) -> None:
        """Joins if that is due, and waits a moment for it."""
        joined = self.use()
        if joined is not None:
            await asyncio.wait({asyncio.wrap_future(joined)}, timeout=JOIN_WAIT_S)

    def joined_soon_sync(self) -> None:
        """`joined_soon` for synchronous code. Does not wait inside an event loop."""
        joined = self.use()
        if joined is not None and running_loop() is None:
            wait_for(joined, JOIN_WAIT_S)

    # ---- the event loop of the link ---------------------------------------------------------------------------------

    def check_home(self) -> None:
        """If the event loop of the link was closed, drops the link; the next call joins again."""
        home = self._home
        if home is not None and home.is_closed() and self.lost():
            self._forsake()

    def lost(self) -> bool:
        """The event loop of the link is ending or gone. Returns whether nobody has left the registry before."""
        with self._lock:
            if self._joined is None:
                return False
            self._joined = self._home = self._thread = None
            self._depth = 0
            self._is_due = self._rejoins
            return True

    async def at_home(self, work: Callable[[], Awaitable[T]]) -> T:
        """Runs `work()` on the event loop of the link, whose connections belong to it. From any event loop."""
        asyncio_loop("a circuit registry")
        self.check_home()
        await self.joined_soon()
        home = self._home
        if home is None or home is running_loop():
            return await work()
        return await asyncio.wrap_future(_submitted(work, home))

    def at_home_sync(self, work: Callable[[], Awaitable[T]], instead: str) -> T:
        """`at_home` for synchronous code. Raises RuntimeError inside an event loop; `instead`: what to use there."""
        BackgroundLoop(instead).check_may_block()
        self.check_home()
        self.joined_soon_sync()
        if self._home is None:
            return asyncio.run(_run(work))
        future = _submitted(work, self._home)
        wait_for(future)
        return future.result()

    # ---- forks ------------------------------------------------------------------------------------------------------

    def renew_in_child(self) -> None:
        """In a forked child: this process is no member yet, and joins at its first call if its parent was one."""
        left_to_parent(self._home, self._thread, self._joined)
        self._is_due = self._is_due or (self._joined is not None and self._rejoins)
        self._lock = new_lock()
        self._depth = 0
        self._joined = self._home = self._thread = None


def asyncio_loop(what: str) -> asyncio.AbstractEventLoop:
    """The running event loop. Raises RuntimeError if there is none, for example under trio."""
    loop = running_loop()
    if loop is not None:
        return loop
    trio = " It does not run under trio: use the synchronous forms there (`call_sync`, `with`)."
    raise RuntimeError(f"{what} needs a running asyncio event loop.{trio if 'trio' in sys.modules else ''}")


def _submitted(work: Callable[[], Awaitable[T]], home: asyncio.AbstractEventLoop) -> Future[T]:
    if not home.is_running():
        raise RuntimeError(
            "the event loop on which the circuit registry was entered is not running: enter the registry with `with`, "
            "which uses a thread of its own"
        )
    return asyncio.run_coroutine_threadsafe(_run(work), home)


async def _run(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
