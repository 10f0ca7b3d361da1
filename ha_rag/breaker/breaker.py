"""CircuitBreaker: guards any call. It does no I/O on the call path and holds no lock while the call runs.

    admission = breaker.admit()            # a permit or a refusal, at once
    async with breaker: ...                # raises CircuitOpenError if refused
    await breaker.call(fetch, url)         # the same, around one function
    @breaker                               # the same, around every call of a function

While the circuit is closed or open, admission is a memory read. While it is half-open, `call` and `async with` wait
up to 50 ms to learn whether this call may be the probe. Safe across tasks and threads; one object serves all of them.
"""

from __future__ import annotations

import asyncio
import functools
import math
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from types import CoroutineType, TracebackType
from typing import Any, ParamSpec, TypeVar, cast, overload

from ha_rag.breaker.blocks import OpenBlocks, block_frame
from ha_rag.breaker.execution import execute
from ha_rag.breaker.fleet_link import PROBE_WAIT_S, FleetLink
from ha_rag.breaker.guarded_function import check_callable, check_done, check_done_sync, is_async
from ha_rag.breaker.judge import Judge
from ha_rag.breaker.managed import ManagedCircuit
from ha_rag.breaker.membership import asyncio_loop
from ha_rag.breaker.permit import Admission, Permit, Probe, Refusal
from ha_rag.breaker.probes import DetachedProbes
from ha_rag.breaker.recorder import Recorder
from ha_rag.circuit.state import CircuitState
from ha_rag.ledger.sync.background_tasks import running_loop
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.ledger.view.view import View
from ha_rag.outcomes import Outcome

P = ParamSpec("P")
T = TypeVar("T")

OK = Outcome.OK
HALF_OPEN = CircuitState.HALF_OPEN


class CircuitBreaker(ManagedCircuit):
    """Guards the calls of one circuit in this process. Made by `CircuitRegistry.breaker`.

    `timeout_s`: the timeout that the caller enforces on the guarded calls; None: none. It sets how long a probe may
    take, and how long a cancelled call must have waited to count as a timeout.
    """

    def __init__(self, link: FleetLink, view: View, judge: Judge) -> None:
        super().__init__(link, view)
        self._guard(view)
        self._recorder = Recorder(view, link, judge)
        self._plain = judge.plain
        self._probes = DetachedProbes()
        self._now = link.clock.monotonic_s
        self._blocks = OpenBlocks(view.name)
        self._refusal = Refusal(view.name, CircuitState.OPEN, -math.inf, self._now)

    def _guard(self, view: View) -> None:
        self._view = view
        self._gate = view.gate
        # Bound here because a method call would cost a tenth of a guarded call.
        self._next_number, self._waiting = view.gate.next_number, view.gate.waiting
        view.gate.check_next()

    def renew_in_child(self, view: View) -> None:
        """In a forked child: guards by `view`, which has counted nothing yet."""
        self._guard(view)
        self._recorder = self._recorder.renewed_in_child(view)
        self._probes = DetachedProbes()

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.name!r} {self.state}>"

    # ---- admission --------------------------------------------------------------------------------------------------

    def admit(self) -> Admission:
        """A permit to call, or a refusal. Never waits, does no I/O, raises nothing."""
        epochs = self._gate.passing
        if epochs is not None:
            now = self._now()
            return Permit(self._recorder, epochs, now, self._gate.begin(now))
        now = self._now()
        until_s = self._gate.refusing_until_s
        if now < until_s:
            # One refusal object serves the whole open duration, so that refusing stays cheap while a service is down.
            if self._refusal.until_s != until_s:
                self._refusal = Refusal(self._view.name, CircuitState.OPEN, until_s, self._now)
            return self._refusal
        return self._admit_checked(now)

    def _admit_checked(self, now: float) -> Admission:
        if self._gate.unused:
            self._gate.unused = self._link.first_use()
        if self._view.sleep.asleep:
            self._view.sleep.wake()
        answer = self._gate.admit()
        if self._view.has_unpublished:
            self._link.publish_rulings(self._view)
        if isinstance(answer, Epochs):
            return Permit(self._recorder, answer, now, self._gate.begin(now))
        if isinstance(answer, Grant):
            probe = Probe(self._recorder, answer, now)
            self._link.background.later(probe.due_s, probe.timed_out)  # a synchronous call cannot be cancelled
            return probe
        asked = self._link.ask(self._view) if answer.ask else self._link.asked(self._view)
        until_s = math.inf if answer.retry_after_s is None else now + answer.retry_after_s
        wait_s = self._link.probe_wait_s if answer.ask else PROBE_WAIT_S
        return Refusal(self._view.name, answer.state, until_s, self._now, asked, wait_s)

    async def admit_soon(self) -> Admission:
        """Like `admit`, but while half-open it waits up to 50 ms to learn whether this call may be the probe.

        In the first second after joining the fleet it waits for two round trips of Redis if that is longer, at most
        0.3 s: a program that joins for each call would otherwise never probe.
        """
        asyncio_loop("an async call through a circuit")
        if self._gate.unused:
            await self._link.joined_soon()
        admission, pause_s = self.admit(), 0.0
        if isinstance(admission, Refusal) and admission.asks_within(PROBE_WAIT_S):
            pause_s = admission.pause_s
            await asyncio.sleep(pause_s)
            admission = self.admit()
        if isinstance(admission, Refusal) and admission.asked is not None:
            await asyncio.wait({admission.asked}, timeout=admission.wait_s - pause_s)
            return self.admit()
        return admission

    def _admit_waiting(self) -> Admission:
        """`admit_soon` for synchronous code: blocks the thread."""
        if self._gate.unused:
            self._link.joined_soon_sync()
        admission, pause_s = self.admit(), 0.0
        if running_loop() is not None:
            return admission
        if isinstance(admission, Refusal) and admission.asks_within(PROBE_WAIT_S):
            pause_s = admission.pause_s
            time.sleep(pause_s)
            admission = self.admit()
        if isinstance(admission, Refusal) and admission.state is HALF_OPEN:
            self._gate.wait_for_answer(admission.wait_s - pause_s)
            return self.admit()
        return admission

    # ---- calling ----------------------------------------------------------------------------------------------------

    @overload
    async def call(self, fn: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    async def call(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...
    async def call(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls `fn` if the circuit admits it, and counts the outcome. Raises CircuitOpenError, or what `fn` raises.

        A probe runs in its own task, within its lease; cancelling the caller does not cancel it. Raises MisuseError for
        a generator function, and for a coroutine instead of a function.
        """
        check_callable(fn)
        gate = self._gate
        epochs = gate.passing
        if epochs is None:
            return await self._call_checked(fn, *args, **kwargs)
        started_s = self._now()
        number = self._next_number()
        self._waiting[number] = started_s
        try:
            result: Any = fn(*args, **kwargs)
            if type(result) is CoroutineType or isawaitable(result):
                result = await result
            plain = type(result) in self._plain
            if not plain:
                check_done(fn, result)
        except BaseException as error:
            Permit(self._recorder, epochs, started_s, number).raised(error)
            raise
        if not plain:
            Permit(self._recorder, epochs, started_s, number).returned(result)
        elif gate.succeeded(epochs, started_s, number) is not OK:
            self._link.report_soon(self._view)
        return result

    execute = call
    """Alias of `call`, used in tutorials."""

    async def _call_checked(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        permit = _permit_of(await self.admit_soon())
        work = functools.partial(_invoke, fn, args, kwargs)
        result = await (self._probes.run(permit, work) if permit.probe else execute(permit, work))
        return result.value()

    def call_sync(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`call` for synchronous code. Raises CircuitOpenError, or what `fn` raises; MisuseError if `fn` is async."""
        check_callable(fn)
        permit = _permit_of(self._admit_waiting())
        try:
            result = fn(*args, **kwargs)
            plain = type(result) in self._plain
            if not plain:
                check_done_sync(fn, result)
        except BaseException as error:
            permit.raised(error)
            raise
        permit.ok() if plain else permit.returned(result)
        return result

    async def __aenter__(self) -> Permit:
        block = block_frame()  # before the first await: the frame that awaits this is the one that runs the block
        permit = _permit_of(await self.admit_soon())
        if isinstance(permit, Probe):
            permit.limit = asyncio.timeout(permit.bound_s)
            await permit.limit.__aenter__()
        return self._blocks.enter(block, permit)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        permit = self._blocks.leave(block_frame())
        if isinstance(permit, Probe) and permit.limit is not None:
            try:
                await permit.limit.__aexit__(kind, error, trace)
            except TimeoutError as up:
                permit.timed_out()
                raise TimeoutError(permit.limit_reason) from up
        _settle(permit, error)

    def __enter__(self) -> Permit:
        return self._blocks.enter(block_frame(), _permit_of(self._admit_waiting()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _settle(self._blocks.leave(block_frame()), error)

    def __call__(self, fn: Callable[P, T]) -> Callable[P, T]:
        """Guards every call of a function, async or not. Raises MisuseError for a generator function: its call
        returns before any work is done, so wrap the loop that reads it in `async with` instead.
        """
        if isinstance(fn, staticmethod | classmethod):  # @breaker above @staticmethod
            return type(fn)(self(fn.__func__))
        if is_async(fn):

            @functools.wraps(fn)
            async def guarded(*args: Any, **kwargs: Any) -> Any:
                return await self.call(fn, *args, **kwargs)

            return cast("Callable[P, T]", guarded)

        @functools.wraps(fn)
        def guarded_sync(*args: Any, **kwargs: Any) -> Any:
            return self.call_sync(fn, *args, **kwargs)

        return guarded_sync


async def _invoke(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = fn(*args, **kwargs)
    if isawaitable(result):
        result = await result
    check_done(fn, result)
    return result


def _settle(permit: Permit | None, error: BaseException | None) -> None:
    if permit is None:
        return
    if error is None:
        permit.ok()
    else:
        permit.raised(error)


def _permit_of(admission: Admission) -> Permit:
    if isinstance(admission, Refusal):
        raise admission.error()
    return admission
