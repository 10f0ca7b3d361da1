"""A scenario and its steps, as data: what is said, what happens to the lab, what is asked, what the reader predicts."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.learn.lab import Lab
from ha_rag.messages import Answer

QUESTION = "How does a circuit recover?"
OTHER_QUESTION = "What do replicas share?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One question, and what happens before it. Immutable.

    `say`: what the reader is told. `wait_s`: how much time passes first. `breaks`, `mends`: circuits whose components
    fail, or are well, from then on. `replica`: who is asked. `predict`: the circuit whose state after the question the
    reader is to say, and at which replica it is looked at (`at`, default: the one asked); "" for none. `why`: what
    makes that state the right one.
    """

    say: str
    question: str = QUESTION
    wait_s: float = 0.0
    breaks: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()
    replica: int = 1
    predict: str = ""
    at: int = 0
    why: str = ""

    @property
    def looked_at(self) -> int:
        """The replica whose health is shown."""
        return self.at or self.replica

    def taken(self, lab: Lab) -> Answer:
        """Lets it happen in `lab`, and asks."""
        lab.waits(self.wait_s)
        lab.breaks(*self.breaks)
        lab.mends(*self.mends)
        return lab.asks(self.question, self.replica)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One lesson, begun with a lab in which all is well. `name`: for `--scenario`."""

    name: str
    title: str
    about: str
    steps: tuple[Step, ...]
    replicas: int = 1
