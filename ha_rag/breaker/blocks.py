"""OpenBlocks: which permit belongs to which `with` block of a breaker.

One breaker serves all tasks and threads, so `__exit__` has to find the permit that its own `__enter__` got. The frame
that runs the block identifies it: a generator keeps its frame, whichever thread, task or context resumes it. A manager
that calls `__enter__` and `__exit__` from two functions (`ExitStack`, a class around the breaker) has two frames;
there the context identifies the block, and if it was left in another context too, the oldest open block is settled.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from contextvars import ContextVar
from types import FrameType

from ha_rag.breaker.permit import Permit

log = logging.getLogger(__name__)


def block_frame() -> FrameType:
    """The frame that runs the block, if called from the method by which the block is entered or left."""
    here = inspect.currentframe()
    method = here and here.f_back
    block = method and method.f_back
    if block is None:
        raise RuntimeError("this Python does not support stack frames; use call() instead of a block")
    return block


class OpenBlocks:
    """The open blocks of one circuit. Safe across threads, tasks and contexts.

    Blocks of one frame, and of one context, are linked from the inner to the outer one, so that no tuple is built for
    each call. A block that is entered and never left keeps its permit and its frame.
    """

    def __init__(self, circuit: str) -> None:
        self._circuit = circuit
        self._by_frame: dict[FrameType, Permit] = {}
        """Frame -> the permit of its innermost open block."""
        self._in_context: ContextVar[Permit | None] = ContextVar(f"permit of {circuit}", default=None)
        """The permit of the innermost block that was entered here; it may have been left elsewhere."""

    def __len__(self) -> int:
        return sum(1 for inner in list(self._by_frame.values()) for _ in _outwards(inner))

    def enter(self, frame: FrameType, permit: Permit) -> Permit:
        """A block was entered by `frame`. Returns its permit."""
        permit.frame = frame
        permit.outer = self._by_frame.get(frame)
        self._by_frame[frame] = permit
        permit.before = _open(self._in_context.get())
        self._in_context.set(permit)
        return permit

    def leave(self, frame: FrameType) -> Permit | None:
        """A block is left by `frame`. Returns its permit; None, and a warning, if no block is open."""
        permit = self._by_frame.get(frame) or _open(self._in_context.get()) or self._oldest()
        if permit is None:
            log.warning("a block of circuit %s was left but never entered: its outcome does not count", self._circuit)
            return None
        self._remove(permit)
        if self._in_context.get() is permit:
            self._in_context.set(permit.before)
        return permit

    def _oldest(self) -> Permit | None:
        return next(iter(list(self._by_frame.values())), None)

    def _remove(self, permit: Permit) -> None:
        frame, permit.frame = permit.frame, None
        inner = self._by_frame.pop(frame, None) if frame is not None else None
        if frame is None or inner is None:  # another thread was faster
            return
        if inner is not permit:
            _unlink(permit, inner)
        elif permit.outer is not None:
            inner = permit.outer
        else:
            return
        self._by_frame[frame] = inner


def _open(permit: Permit | None) -> Permit | None:
    """The innermost block of a context, from `permit` outwards, that is still open."""
    while permit is not None and permit.frame is None:
        permit = permit.before
    return permit


def _outwards(permit: Permit | None) -> Iterator[Permit]:
    """The blocks of a frame, from the inner to the outer one."""
    while permit is not None:
        yield permit
        permit = permit.outer


def _unlink(permit: Permit, inner: Permit) -> None:
    """Removes an outer block of a frame from the list that begins with `inner`."""
    for each in _outwards(inner):
        if each.outer is permit:
            each.outer = permit.outer
            return
