"""Verdict: what one call says about the service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ha_rag.outcomes import Outcome

COUNTABLE = frozenset(Outcome) - {Outcome.REJECTED, Outcome.SKIPPED}
"""The outcomes that a call can have once it was made."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a call ended. `throttled_s`: the pause that the service asked for in seconds, 0 if none."""

    outcome: Outcome
    throttled_s: float = 0.0


FAILED = Verdict(Outcome.FAILED)
TIMEOUT = Verdict(Outcome.TIMEOUT)
INVALID = Verdict(Outcome.INVALID)
CANCELLED = Verdict(Outcome.CANCELLED)


WORST_FIRST = (
    Outcome.THROTTLED, Outcome.FAILED, Outcome.TIMEOUT, Outcome.SLOW, Outcome.INVALID, Outcome.OK, Outcome.CANCELLED
)  # fmt: skip


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The one that counts most against the service: the longest pause that was asked for, else the worst outcome."""
    return min(verdicts, key=lambda verdict: (WORST_FIRST.index(verdict.outcome), -verdict.throttled_s))


def checked_verdict(answer: object) -> Verdict | None:
    """What a user's `classify` returned, as a verdict; None if it has no opinion. An Outcome alone is enough.

    Throttling without a pause is a failure. Raises ValueError for anything that is neither.
    """
    if answer is None:
        return None
    outcome, wait_s = (answer.outcome, answer.throttled_s) if isinstance(answer, Verdict) else (answer, 0.0)
    if not isinstance(outcome, str) or outcome not in COUNTABLE:
        raise ValueError(f"it returned {answer!r:.100}, which is neither a Verdict nor an Outcome of a call")
    outcome = Outcome(outcome)
    if outcome is not Outcome.THROTTLED:
        return Verdict(outcome)
    return Verdict(outcome, float(wait_s)) if is_pause(wait_s) else FAILED


def is_pause(seconds: object) -> bool:
    """Whether `seconds` is a number above 0; infinity is as long as the policy allows."""
    return isinstance(seconds, int | float) and seconds > 0
