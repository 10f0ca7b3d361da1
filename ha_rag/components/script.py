"""Script: decides which calls of a component fail, for lessons, drills and tests."""

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
    """The outcome of a component's first call, its second, and so on. After the last step every call succeeds.

    A step is None or "ok" (the call succeeds), an exception (it is raised), an exception class (it is instantiated with
    a short text and raised), or a callable without arguments (it is called and may raise; it must not block). A
    component calls `play()` once per call, before its own work. Safe across tasks and threads: no two calls get the
    same step.

        PrimaryRetriever(index, script=Script.failing(first=3))     # fails three times, then works
    """

    def __init__(self, *steps: Step) -> None:
        self._steps = iter(steps)
        self._lock = threading.Lock()
        self.calls = 0

    @classmethod
    def failing(cls, first: int, error: Failure | None = None) -> Script:
        """The first `first` calls fail with `error` (default: a ServiceError); later ones succeed."""
        return cls(*repeat(_failure(error), first))

    @classmethod
    def always(cls, error: Failure | None = None) -> Script:
        """Every call fails with `error` (default: a ServiceError)."""
        return cls._endless(_failure(error))

    @classmethod
    def _endless(cls, step: Step) -> Script:
        script = cls()
        script._steps = chain(repeat(step))
        return script

    def play(self) -> None:
        """Performs the next step: returns, or raises the step's error. `calls` counts the calls."""
        with self._lock:
            self.calls += 1
            step = next(self._steps, None)
        if step is None or step == "ok":
            return
        if isinstance(step, BaseException):
            raise step.with_traceback(None)  # an instance that is raised repeatedly would keep all earlier tracebacks
        if isinstance(step, type) and issubclass(step, BaseException):
            raise step(ON_PURPOSE)
        if callable(step):
            step()


def _failure(error: Failure | None) -> Failure:
    return ServiceError(ON_PURPOSE) if error is None else error
