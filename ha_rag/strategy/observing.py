"""Observing a question's stages and attempts: tracing, if it is switched on; by default nobody does."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from ha_rag.messages import Attempt, Outcome


class AttemptSeen(Protocol):
    """One call to a tier, as the observer sees it."""

    def ended(self, outcome: Outcome, reason: str) -> None:
        """How it ended. Only the first word on it counts; without one, it was cancelled."""
        ...

    def goes_on(self) -> None:
        """The call outlives its block: a stream has begun, and `ended` will be said later."""
        ...


class StageSeen(Protocol):
    """One stage of a question, as the observer sees it."""

    def served(self, by: str, attempts: list[Attempt]) -> None:
        """Which tier served it, and every attempt on the way, those that were not sent included."""
        ...


class PipelineObserver(Protocol):
    """Observes. Called in the middle of a question, so it must be quick, must not wait and must not raise."""

    def asked(self, question: str) -> None:
        """A question has been taken. Its text is personal: nothing may be kept of it unless somebody said so."""
        ...

    def stage(self, stage: str) -> AbstractContextManager[StageSeen]:
        """A stage, for as long as the block lasts."""
        ...

    def attempt(self, circuit: str, state: str) -> AbstractContextManager[AttemptSeen]:
        """A call that is sent; services called in the block are told to be part of it."""
        ...


class _Nobody:
    """Observes nothing, at the price of a method call. One object serves every stage and attempt."""

    def __enter__(self) -> _Nobody:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def asked(self, question: str) -> None: ...

    def stage(self, stage: str) -> _Nobody:
        return self

    def attempt(self, circuit: str, state: str) -> _Nobody:
        return self

    def served(self, by: str, attempts: list[Attempt]) -> None: ...

    def ended(self, outcome: Outcome, reason: str) -> None: ...

    def goes_on(self) -> None: ...


NOBODY = _Nobody()
