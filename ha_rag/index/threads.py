"""Runs blocking work beside the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ha_rag.threads import finished, writing

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs `work` in the writing thread, one at a time, and, if cancelled, waits for it to finish before raising."""
    return await finished(writing.run(work, *args, **kwargs))
