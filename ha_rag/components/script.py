"""Script: makes a component fail on purpose, call by call, for lessons, drills and tests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import chain, repeat
from typing import Literal

from ha_rag.errors import ServiceError

ON_PURPOSE = "failed on purpose"
Failure = BaseException | type[BaseException]
Step = Literal["ok"] | Failure | Callable[[], object] | None


class Script:
    """What a component does at its first call, its second, and so on; once the steps are used up, every call passes.

    A step is None or "ok" (the call passes), an exception (it is raised), a class of exceptions (one is made with a
    short text and raised), or a callable without arguments (it is called and may raise; it must not block). A
    component that was given a script calls `play()` once per call, before its own work. Safe across tasks and
    threads: every call gets a step of its own.

        PrimaryRetriever(index, script=Script.failing(first=3))     # three failures, then well again
    """

    def __init__(self, *steps: Step) -> None:
        self._steps = iter(steps)
        self._lock = threading.Lock()
        self.calls = 0

    @classmethod
    def failing(cls, first: int, error: Failure | None = None) -> Script:
        """Fails the first `first` calls with `error` (default: a ServiceError), then passes."""
        return cls(*repeat(_planned(error), first))

    @classmethod
    def always(cls, error: Failure | None = None) -> Script:
        """Fails every call with `error` (default: a ServiceError)."""
        return cls._endless(_planned(error))

    @classmethod
    def _endless(cls, step: Step) -> Script:
        script = cls()
        script._steps = chain(repeat(step))
        return script

    def play(self) -> None:
        """Takes the next step: returns, or raises what the step says. `calls` counts how often this was asked."""
        with self._lock:
            self.calls += 1
            step = next(self._steps, None)
        if step is None or step == "ok":
            return
        if isinstance(step, BaseException):
            raise step.with_traceback(None)  # one instance raised many times would carry every earlier traceback
        if isinstance(step, type) and issubclass(step, BaseException):
            raise step(ON_PURPOSE)
        if callable(step):
            step()


def _planned(error: Failure | None) -> Failure:
    return ServiceError(ON_PURPOSE) if error is None else error
