"""Inquiry: one question in progress, with its deadline and the record of its stages."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeVar

from ha_rag.breaker.execution import CallResult
from ha_rag.clock import Clock
from ha_rag.deadline import Deadline
from ha_rag.messages import AssignedArm, Attempt, ComponentType
from ha_rag.strategy.answer_cache import AnswerRecall
from ha_rag.strategy.chain import Served, attempt
from ha_rag.strategy.experiment import Experiment
from ha_rag.strategy.last_words import search_notice
from ha_rag.strategy.quality import NO_RERANKER, Plan, plan_of
from ha_rag.strategy.question import checked_question, checked_timeout_s, checked_top_k

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Inquiry:
    """A question and the record of its stages. Belongs to one task.

    `id`: of its answer, once it is known who makes it. `earlier`: access to the cache of answers, if there is one.
    `assigned`: its arm of the running `experiment`. `firsts`: stage -> the tier to call first, by that arm.
    """

    question: str
    top_k: int
    deadline: Deadline
    started_s: float
    id: str = ""
    earlier: AnswerRecall | None = None
    experiment: Experiment | None = None
    assigned: AssignedArm | None = None
    firsts: Mapping[str, str] = field(default_factory=dict)
    served_by: dict[str, str] = field(default_factory=dict)
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)

    @classmethod
    def of(cls, question: object, top_k: object, timeout_s: object, clock: Clock) -> Inquiry:
        """A new question, validated. Raises ConfigurationError."""
        text, k, allowed_s = checked_question(question), checked_top_k(top_k), checked_timeout_s(timeout_s)
        started_s = clock.monotonic_s()
        return cls(text, k, Deadline(started_s + allowed_s, clock), started_s)

    def note(self, stage: ComponentType, served: Served[T]) -> T:
        """Records a stage and returns its reply."""
        self.served_by[stage.value] = served.by
        self.attempts[stage.value] = served.attempts
        return served.reply

    def amend_last(self, stage: ComponentType, result: CallResult[T]) -> None:
        """Replaces the result of a stage's last attempt: the result of a stream is known only when it ends."""
        last = self.attempts[stage][-1]
        self.attempts[stage][-1] = attempt(result, last.circuit, last.state)

    def draw(self, experiment: Experiment | None, asker: str) -> None:
        """Assigns it an arm of `experiment`, if there is one. `asker`: what names who asks; "" if nothing does."""
        self.experiment = experiment
        if experiment is not None:
            self.assigned, self.firsts = experiment.assign(asker)

    def assigned_unless(self, degraded: Collection[str]) -> AssignedArm | None:
        """Its arm, and whether that arm's own tiers served it, by the `degraded` stages; None without an experiment."""
        if self.experiment is None or self.assigned is None:
            return None
        return replace(self.assigned, as_assigned=self.experiment.as_assigned(degraded))

    @property
    def variant(self) -> str:
        """What tells answers of an experiment's arm from those of the usual tiers; "" for the latter."""
        return json.dumps(dict(sorted(self.firsts.items()))) if self.firsts else ""

    @property
    def plan(self) -> Plan | None:
        """What found the passages; None before that."""
        if ComponentType.RETRIEVER not in self.served_by:
            return None
        reranker = self.served_by.get(ComponentType.RERANKER, NO_RERANKER)
        return plan_of(self.served_by[ComponentType.EMBEDDER], self.served_by[ComponentType.RETRIEVER], reranker)

    @property
    def notice(self) -> str:
        """What its answer says first, if the documents could not be searched; else ""."""
        stage = ComponentType.RETRIEVER
        return search_notice(self.served_by.get(stage, ""), self.attempts.get(stage, []))

    @property
    def all_attempts(self) -> tuple[Attempt, ...]:
        """Every attempt so far, in order."""
        return tuple(chain.from_iterable(self.attempts.values()))

    @property
    def ms(self) -> float:
        """Time taken so far, in ms."""
        return round(1000 * (self.deadline.clock.monotonic_s() - self.started_s), 3)
