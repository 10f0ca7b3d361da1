"""What an answer is announced as: an event for each stage that fell back, and one for the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ha_rag.events import QuestionAnswered, TierFellBack
from ha_rag.messages import Answer
from ha_rag.strategy.inquiry import Inquiry


def events_of(
    answer: Answer, inquiry: Inquiry, preferred: Mapping[str, str], at_ms: int, *, broken: bool
) -> Iterator[TierFellBack | QuestionAnswered]:
    """The events of an answer at `at_ms` (Unix milliseconds). `preferred`: stage -> the tier that should have served.

    `broken`: whether its stream broke off.
    """
    for stage in answer.degraded_stages:
        yield TierFellBack(
            at_ms=at_ms,
            replica=answer.replica,
            answer=answer.id,
            stage=stage,
            first=preferred[stage],
            served_by=answer.served_by[stage],
            attempts=tuple(inquiry.attempts[stage]),
        )
    yield QuestionAnswered(
        at_ms=at_ms,
        replica=answer.replica,
        answer=answer.id,
        ms=answer.ms,
        served_by=answer.served_by,
        degraded_stages=answer.degraded_stages,
        shared_state=answer.shared_state,
        broken=broken,
        attempts=answer.attempts,
        answered=answer.answered,
        quality=answer.quality,
        age_s=answer.age_s,
        experiment=answer.experiment,
    )
