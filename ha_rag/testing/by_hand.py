"""Circuits set by hand, for the time of a test. They must not be connected to Redis.

A registry with a URL that has not joined its fleet yet stays apart from then on: no call joins by itself any more.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from inspect import iscoroutinefunction
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.circuit.state import OperatorOverride, OverrideMode

P = ParamSpec("P")
T = TypeVar("T")

_BY = "test"


def opened(breaker: CircuitBreaker, *, retry_after_s: float | None = None) -> ByHand:
    """A block (`with`) in which the circuit is open: it refuses every call. Gives the breaker.

    `retry_after_s`: what refusals say; after this time the circuit is half-open. None: they say nothing.
    After the block, an override from before it applies again; if there was none, the circuit is closed with nothing
    counted, whatever it was before. Entering raises ConfigurationError for a circuit that is shared through Redis.
    Also a decorator of functions, async or not.
    """
    return ByHand(breaker, OverrideMode.OPEN, retry_after_s)


def closed(breaker: CircuitBreaker) -> ByHand:
    """A block (`with`) in which the circuit is closed: it admits every call, and no failure opens it.

    What applies after the block, and the errors, are those of `opened`.
    """
    return ByHand(breaker, OverrideMode.CLOSED, None)


def reset(breaker: CircuitBreaker) -> None:
    """Closes the circuit, ends an override and forgets what was counted, as between two tests."""
    # A circuit whose "open" override ends is half-open; one whose "closed" override ends is closed.
    breaker.override_here(OverrideMode.CLOSED, reason="reset", by=_BY)
    breaker.override_here(None, reason="reset", by=_BY)


class ByHand:
    """The block of one override, or a decorator. For one block at a time."""

    def __init__(self, breaker: CircuitBreaker, mode: OverrideMode, for_s: float | None) -> None:
        self._breaker = breaker
        self._mode = mode
        self._for_s = for_s
        self._before: OperatorOverride | None = None
        self._left_s: float | None = None

    def __enter__(self) -> CircuitBreaker:
        breaker, before = self._breaker, self._breaker.override
        is_open = before is not None and before.mode is OverrideMode.OPEN
        left_s = breaker.admit().retry_after_s if is_open else None
        breaker.override_here(self._mode, reason=f"{self._mode} by a test", by=_BY, for_s=self._for_s)
        self._before, self._left_s = before, left_s
        return breaker

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        before = self._before
        if before is None:
            reset(self._breaker)
        else:
            self._breaker.override_here(before.mode, reason=before.reason, by=before.by, for_s=self._left_s)

    def __call__(self, fn: Callable[P, T]) -> Callable[P, T]:
        """Runs every call of `fn` in a block of its own."""
        if iscoroutinefunction(fn):

            @functools.wraps(fn)
            async def in_block(*args: Any, **kwargs: Any) -> Any:
                with self._again():
                    return await fn(*args, **kwargs)

            return cast("Callable[P, T]", in_block)

        @functools.wraps(fn)
        def in_block_sync(*args: P.args, **kwargs: P.kwargs) -> T:
            with self._again():
                return fn(*args, **kwargs)

        return in_block_sync

    def _again(self) -> ByHand:
        return ByHand(self._breaker, self._mode, self._for_s)
