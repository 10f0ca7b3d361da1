"""Who looks on while a question goes through its stages: tracing, if it is switched on; nobody, mostly."""

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


class Observer(Protocol):
    """Looks on. Called in the middle of a question, so it must be quick, must not wait and must not raise."""

    def asked(self, question: str) -> None:
        """A question has been taken. Its text is personal: nothing may be kept of it unless somebody said so."""
        ...

    def stage(self, stage: str) -> AbstractContextManager[StageSeen]:
        """A stage, for as long as the block lasts."""
        ...

    def attempt(self, circuit: str, state: str) -> AbstractContextManager[AttemptSeen]:
        """A call that is sent; services called in the block are told to be part of it."""
        ...
