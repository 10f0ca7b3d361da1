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
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from inspect import isasyncgenfunction, isawaitable, iscoroutinefunction, isgeneratorfunction
from types import CoroutineType, TracebackType
from typing import Any, ParamSpec, TypeVar, cast, overload

from ha_rag.breaker.execution import execute
from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.breaker.managed import ManagedCircuit
from ha_rag.breaker.outcome import Classify
from ha_rag.breaker.permit import Admission, Permit, Probe, Refusal
from ha_rag.breaker.probes import DetachedProbes
from ha_rag.breaker.recorder import Recorder
from ha_rag.circuit.state import CircuitState
from ha_rag.errors import ConfigurationError
from ha_rag.ledger.sync.background_tasks import running_loop
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.ledger.view.view import View
from ha_rag.messages import Outcome

P = ParamSpec("P")
T = TypeVar("T")

OK = Outcome.OK
HALF_OPEN = CircuitState.HALF_OPEN

PROBE_WAIT_S = 0.05
"""How long a call waits to learn whether it may be the probe."""


class CircuitBreaker(ManagedCircuit):
    """Guards the calls of one circuit in this process. Made by `CircuitRegistry.breaker`.

    `timeout_s`: the timeout that the caller enforces on the guarded calls; None: none. It sets how long a probe may
    take, and how long a cancelled call must have waited to count as a timeout.
    """

    def __init__(self, link: FleetLink, view: View, classify: Classify) -> None:
        super().__init__(link, view)
        self._gate = view.gate
        # Bound here because a method call would cost a tenth of a guarded call.
        self._next_number, self._waiting = view.gate.next_number, view.gate.waiting
        self._recorder = Recorder(view, link, classify)
        self._probes = DetachedProbes()
        self._now = link.clock.monotonic_s
        self._permits: ContextVar[tuple[Permit, ...]] = ContextVar(f"permits of {view.name}", default=())
        self._refusal = Refusal(view.name, CircuitState.OPEN, -math.inf, self._now)

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
        return Refusal(self._view.name, answer.state, until_s, self._now, asked)

    async def admit_soon(self) -> Admission:
        """Like `admit`, but while half-open it waits up to 50 ms to learn whether this call may be the probe."""
        admission = self.admit()
        if isinstance(admission, Refusal) and admission.asked is not None:
            await asyncio.wait({admission.asked}, timeout=PROBE_WAIT_S)
            return self.admit()
        return admission

    def _admit_waiting(self) -> Admission:
        """`admit_soon` for synchronous code: blocks the thread."""
        admission = self.admit()
        if isinstance(admission, Refusal) and admission.state is HALF_OPEN and running_loop() is None:
            self._gate.wait_for_answer(PROBE_WAIT_S)
            return self.admit()
        return admission

    # ---- calling ----------------------------------------------------------------------------------------------------

    @overload
    async def call(self, fn: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    async def call(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...
    async def call(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls `fn` if the circuit admits it, and counts the outcome. Raises CircuitOpenError, or what `fn` raises.

        A probe runs in its own task, within its lease; cancelling the caller does not cancel it.
        """
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
        except BaseException as error:
            Permit(self._recorder, epochs, started_s, number).raised(error)
            raise
        if gate.succeeded(epochs, started_s, number) is not OK:
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
        """`call` for synchronous code. Raises CircuitOpenError, or what `fn` raises."""
        with self:
            return fn(*args, **kwargs)

    async def __aenter__(self) -> Permit:
        permit = _permit_of(await self.admit_soon())
        if isinstance(permit, Probe):
            permit.limit = asyncio.timeout(permit.bound_s)
            await permit.limit.__aenter__()
        return self._push(permit)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        permit = self._pop()
        if isinstance(permit, Probe) and permit.limit is not None:
            try:
                await permit.limit.__aexit__(kind, error, trace)
            except TimeoutError:
                permit.timed_out()
                raise
        _settle(permit, error)

    def __enter__(self) -> Permit:
        return self._push(_permit_of(self._admit_waiting()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _settle(self._pop(), error)

    def _push(self, permit: Permit) -> Permit:
        self._permits.set((*self._permits.get(), permit))
        return permit

    def _pop(self) -> Permit | None:
        """The permit of the innermost block; None if the block exits in a different context than it was entered in."""
        permits = self._permits.get()
        self._permits.set(permits[:-1])
        return permits[-1] if permits else None

    def __call__(self, fn: Callable[P, T]) -> Callable[P, T]:
        """Guards every call of a function, async or not. Raises ConfigurationError for a generator function: its call
        returns before any work is done, so wrap the loop that reads it in `async with` instead.
        """
        if isasyncgenfunction(fn) or isgeneratorfunction(fn):
            raise ConfigurationError(f"{fn.__qualname__} is a generator function: guard the loop that reads it instead")
        if iscoroutinefunction(fn) or iscoroutinefunction(type(fn).__call__):

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
    return await result if isawaitable(result) else result


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
