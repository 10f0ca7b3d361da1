"""Observer protocols for a question's stages and attempts. Tracing implements them; the default does nothing."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from ha_rag.messages import Attempt
from ha_rag.outcomes import Outcome


class AttemptObserver(Protocol):
    """Observes one call to a tier."""

    def ended(self, outcome: Outcome, reason: str) -> None:
        """The call ended. Only the first report counts; without one, the call was cancelled."""
        ...

    def continues(self) -> None:
        """The call outlives its block: a stream has begun, and `ended` will be called later."""
        ...


class StageObserver(Protocol):
    """Observes one stage of a question."""

    def served(self, by: str, attempts: list[Attempt]) -> None:
        """The tier that served the stage, and all attempts, including those that were not sent."""
        ...


class PipelineObserver(Protocol):
    """Observes questions. Called on the request path: it must be quick, must not wait and must not raise."""

    def asked(self, question: str) -> None:
        """A question was accepted. Its text is personal data: keep none of it unless the operator allowed that."""
        ...

    def stage(self, stage: str) -> AbstractContextManager[StageObserver]:
        """A stage; it lasts as long as the block."""
        ...

    def attempt(self, circuit: str, state: str) -> AbstractContextManager[AttemptObserver]:
        """A call that is sent; requests to services within the block belong to it."""
        ...


class _NullObserver:
    """Does nothing, at the cost of a method call. One object serves every stage and attempt."""

    def __enter__(self) -> _NullObserver:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def asked(self, question: str) -> None: ...

    def stage(self, stage: str) -> _NullObserver:
        return self

    def attempt(self, circuit: str, state: str) -> _NullObserver:
        return self

    def served(self, by: str, attempts: list[Attempt]) -> None: ...

    def ended(self, outcome: Outcome, reason: str) -> None: ...

    def continues(self) -> None: ...


NO_OBSERVER = _NullObserver()
