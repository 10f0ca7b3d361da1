"""Checks the cause of every transition: it must follow from the outcomes of calls, or from a restore."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ha_rag.circuit.rules import Batch, RestorePoint
from ha_rag.circuit.snapshot import read
from ha_rag.circuit.state import CircuitState
from ha_rag.circuit.terms import Terms
from ha_rag.circuit.transitions import Trigger
from ha_rag.ledger.store.ledger import StreamEntry
from tests.ledger.logbook import Step

if TYPE_CHECKING:
    from tests.ledger.simulated_fleet import Fleet

CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN

Ended = Counter[tuple[str, str]]
"""(Outcome, replica) -> count. A slow call also counts as "slow"."""


def total(ended: Ended, wanted: str) -> int:
    return sum(times for (how, _), times in ended.items() if how == wanted)


def who(ended: Ended, *wanted: str) -> set[str]:
    return {name for how, name in ended if how in wanted}


class Causes:
    """The causes of one fleet's events."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.terms = Terms.of(fleet.policy, fleet.timeout_s)

    def check(self, event: StreamEntry, calls: Ended, probes: Ended) -> None:
        """`calls`, `probes`: counts in the epoch that the circuit left."""
        failed_probers = who(probes, "failed", "throttled", "slow")
        if event.trigger == Trigger.PROBES_SUCCEEDED:
            assert self._won(total(probes, "ok"), total(probes, "slow")), (
                f"closed after {probes} in this half-open period"
            )
        if event.trigger == Trigger.PROBE_FAILED:
            assert len(failed_probers) >= self.terms.quorum, (
                f"reopened, though only the probes of {failed_probers} failed"
            )
        if event.trigger == Trigger.THROTTLED:
            throttled = who(calls, "throttled")
            enough = len(throttled) >= self.terms.quorum or len(failed_probers) >= self.terms.quorum
            assert enough, f"opened, though only {throttled} were throttled"
        if event.trigger == Trigger.THRESHOLD:
            self._check_counts(event, calls)
            self._check_votes(event, calls)
        if event.trigger in (Trigger.RESTORED_OPEN, Trigger.RESTORED_CLOSED):
            steps = self._restore_steps(event)
            assert any(map(self._follows, steps)), f"{event.trigger} does not follow from {steps}"

    def is_open_for_a_lease(self, event: StreamEntry) -> bool:
        """Whether no probe that was running at that time overlaps with one after the open duration."""
        if event.trigger == Trigger.RESTORED_OPEN:
            rests_ms = [step.after.open_until_ms - step.at_ms for step in self._restore_steps(event)]
            return max(rests_ms) >= self.terms.lease_ms
        return event.trigger in (
            Trigger.THRESHOLD,
            Trigger.PROBE_GRANTED,
            Trigger.PROBE_FAILED,
            Trigger.RESTORED_CLOSED,
        )

    def _won(self, ok: int, slow: int) -> bool:
        """Whether enough probes succeeded, and not too many of them were slow."""
        needed = self.terms.probe_successes
        return any(
            ok + bearable >= needed and bearable / needed < self.terms.slow_threshold for bearable in range(slow + 1)
        )

    def _check_counts(self, event: StreamEntry, calls: Ended) -> None:
        samples = event.ok + event.failed
        assert samples >= self.terms.min_samples
        assert self.terms.reached(event.failed / samples, event.slow / samples), f"opened after {event}"
        assert event.ok <= total(calls, "ok"), f"{event} from {calls}"
        assert event.failed <= total(calls, "failed"), f"{event} from {calls}"
        assert event.slow <= total(calls, "slow"), f"{event} from {calls}"

    def _check_votes(self, event: StreamEntry, calls: Ended) -> None:
        """With a quorum: that many replicas reported failures in this epoch and within the window."""
        failing = who(calls, "failed", "slow")
        if self.terms.quorum > 1:
            failing &= {name for opened in self._steps_to(event) for name in self._voters(event, opened)}
        assert len(failing) >= self.terms.quorum, f"opened for all with only {failing} failing"

    def _voters(self, event: StreamEntry, opened: Step) -> set[str]:
        return {
            name
            for name, step in self._steps()
            if isinstance(step.said, Batch) and step.said.failing and step.before.epoch == event.previous_epoch
            if step.at_ms > opened.at_ms - self.terms.window_ms
        }

    # ---- restores ---------------------------------------------------------------------------------------------------

    def _follows(self, step: Step) -> bool:
        """Closed only if both sides were; else the longer of both running open durations, or one lease."""
        assert isinstance(step.said, RestorePoint)
        here, there = read(step.before, self.terms, step.at_ms).restore_point(), step.said
        if here.state is there.state is CLOSED:
            return step.after.state is CLOSED
        rests_ms = [side.left_ms for side in (here, there) if side.state is OPEN]
        open_ms = max([0, *rests_ms]) or self.terms.lease_ms
        return (step.after.state, step.after.open_until_ms) == (OPEN, step.at_ms + open_ms)

    def _restore_steps(self, event: StreamEntry) -> list[Step]:
        return [step for step in self._steps_to(event) if isinstance(step.said, RestorePoint)]

    def _steps_to(self, event: StreamEntry) -> list[Step]:
        """The restores that led to this event: after data loss an epoch may occur twice."""
        return [step for _, step in self._steps() if step.before.epoch != step.after.epoch == event.epoch]

    def _steps(self) -> list[tuple[str, Step]]:
        return [(name, step) for name, log in self.fleet.logs for step in log.steps]
