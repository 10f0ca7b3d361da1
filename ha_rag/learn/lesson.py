"""A scenario and its steps, as data: the text, what happens in the lab, the question, and what the reader predicts."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.learn.lab import Lab
from ha_rag.messages import Answer
from ha_rag.strategy.quality import QualityTable

QUESTION = "How does a circuit recover?"
OTHER_QUESTION = "What do replicas share?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One question, and what happens before it. Immutable.

    `say`: the text for the reader. `wait_s`: how far the clock is advanced first. `fails`, `repaired`: circuits whose
    components fail, or work again, from then on. `replica`: the one that is asked. `predict`: the circuit whose state
    after the question the reader predicts; "" for none. `at`: the replica whose health is shown; 0: the one that is
    asked. `why`: why the predicted state is what it is.
    """

    say: str
    question: str = QUESTION
    wait_s: float = 0.0
    fails: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    replica: int = 1
    predict: str = ""
    at: int = 0
    why: str = ""

    @property
    def shown_replica(self) -> int:
        """The replica whose health is shown."""
        return self.at or self.replica

    def run(self, lab: Lab) -> Answer:
        """Lets it happen in `lab`, and asks the question."""
        lab.advance(self.wait_s)
        lab.fail(*self.fails)
        lab.repair(*self.repaired)
        return lab.ask(self.question, self.replica)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One lesson. It starts in a new lab in which nothing fails. `name`: for `--scenario`. `quality`: measured figures
    that choose the tiers; None: the lists do. `caches`: whether good answers are kept.
    """

    name: str
    title: str
    about: str
    steps: tuple[Step, ...]
    replicas: int = 1
    quality: QualityTable | None = None
    caches: bool = False

    def lab(self) -> Lab:
        """A new lab for it."""
        return Lab(self.replicas, self.quality, caches=self.caches)
