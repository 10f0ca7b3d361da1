"""Invariants after any sequence of verbs, from several replicas, under two policies at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ha_rag.circuit import rules
from ha_rag.circuit.rules import WOULD_OPEN, Batch, Decision, RestorePoint, Tally
from ha_rag.circuit.snapshot import read
from ha_rag.circuit.state import Circuit, Counts, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.circuit.transitions import TABLE, Trigger
from ha_rag.outcomes import Outcome
from tests.circuit.circuits import CLOSED, HALF_OPEN, NOW, OPEN, OPEN_UNTIL, T, half_open, terms
from tests.depth import deep

POLICIES = (T, terms(quorum=2, probes=2, bucket_ms=200, window_ms=2000, probe_successes=1, slow_threshold=0.5))
CAN_CLOSE = {
    Trigger.PROBES_SUCCEEDED,
    Trigger.FORCED_CLOSED,
    Trigger.OVERRIDE_ENDED,
    Trigger.RESTORED_CLOSED,
    WOULD_OPEN,
}

policies = st.sampled_from(POLICIES)
replicas = st.sampled_from("abc")
outcomes = st.sampled_from([o for o in Outcome if o not in (Outcome.REJECTED, Outcome.SKIPPED)])
counts = st.builds(Counts, st.integers(0, 3), st.integers(0, 3), st.integers(0, 2))
ages = st.sampled_from([0, 0, 50, 950, 1500, -40])
"""The age of an outcome when it is reported; below 0: from a clock that is ahead."""


@dataclass
class Epoch:
    """What was reported in one epoch of a ledger that lost nothing meanwhile.

    `counted`: terms, end and counts of each tally. `voters`: replica -> when its vote expires. `numbers`: replica ->
    the number of its last batch.
    """

    counted: list[tuple[Terms, int, Counts]] = field(default_factory=list)
    voters: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def add(self, batch: Batch, epoch: int, policy: Terms, now: int) -> None:
        self.numbers[batch.replica] = batch.number
        for tally in batch.tallies:
            at = min(tally.at_ms, now)
            if tally.epoch == epoch and at > now - policy.window_ms:
                self.counted.append((policy, at, tally.counts))
                self._vote(batch, now + policy.window_ms)

    def _vote(self, batch: Batch, until: int) -> None:
        if batch.failing:
            self.voters[batch.replica] = until
        else:
            self.voters.pop(batch.replica, None)

    def at_most(self, policy: Terms, now: int) -> Counts:
        return sum((some for _, at, some in self.counted if at > now - policy.window_ms), Counts())

    def at_least(self, policy: Terms, now: int) -> Counts:
        """Without outcomes that may be in a bucket outside the window, by the reader's policy or the reporter's."""
        certain = [
            some for under, at, some in self.counted
            if at - under.bucket_ms >= now - min(policy.window_ms, under.window_ms)
        ]  # fmt: skip
        return sum(certain, Counts())


class AnyHistory(RuleBasedStateMachine):
    @initialize(start=st.sampled_from([Circuit(), half_open(), half_open(POLICIES[1])]))
    def begin(self, start: Circuit) -> None:
        self.now, self.circuit = OPEN_UNTIL if start.epoch else NOW, start
        self.number = rules.SWEEP_EVERY - 5
        self.epochs = [0, start.epoch]
        self.reported = Epoch()
        self.sent: list[Batch] = []
        self.granted = dict(start.leases)
        self.missed: dict[int, tuple[int, int, int]] = {}
        """Epoch after a restore -> the epochs between which transitions are missing, and the time of the restore."""
        self.points = [RestorePoint(CLOSED, 0), read(start, T, self.now).restore_point()]

    def _apply(self, decision: Decision, *, refusable: bool = False) -> Decision:
        before, after = self.circuit, decision.circuit
        self._check_events(before, decision)
        if refusable and not (decision.events or decision.granted or decision.publish):
            assert after is before
        if after.epoch != before.epoch:
            assert after.epoch >= self.now
            assert not after.window or decision.events[-1].after is CLOSED
            assert (after.probe_successes, after.probe_slow) == (0, 0)
            self.reported = Epoch()
            self.epochs.append(after.epoch)
        if before.state is not HALF_OPEN and after.state is HALF_OPEN:
            assert decision.granted
        self.circuit = after
        self.points.append(read(after, T, self.now).restore_point())
        return decision

    @staticmethod
    def _check_events(before: Circuit, decision: Decision) -> None:
        state, epoch = before.state, before.epoch
        for event in decision.events:
            assert (event.before, event.previous_epoch) == (state, epoch)
            if event.trigger != WOULD_OPEN:
                assert event.epoch > epoch
                assert TABLE[event.before, Trigger(event.trigger)] is event.after
            if event.after is CLOSED:
                assert event.trigger in CAN_CLOSE
            state, epoch = event.after, event.epoch
        assert (state, epoch) == (decision.circuit.state, decision.circuit.epoch)

    @rule(ms=st.sampled_from([1, 99, 100, 299, 300, 301, 500, 501, 1000, 2500]))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    # ---- reports ----------------------------------------------------------------------------------------------------

    @rule(policy=policies, by=replicas, some=counts, age=ages, failing=st.sampled_from([True, True, False]),
          late=st.none() | counts, requested=st.sampled_from([0, 0, 0, 800]),
          which=st.sampled_from([-1, -1, -1, -2, 0]))  # fmt: skip
    def report(
        self,
        policy: Terms,
        by: str,
        some: Counts,
        age: int,
        failing: bool,
        late: Counts | None,
        requested: int,
        which: int,
    ) -> None:
        """`late`: outcomes of the previous epoch in the same batch."""
        self.number += 1
        epoch, at = self._epoch(which), self.now - age
        tallies = [Tally(epoch, at, some)] + ([Tally(self._epoch(-2), at, late)] if late else [])
        self.sent.append(Batch(by, self.number, tuple(tallies), failing, requested, epoch, at))
        self._record(policy, self.sent[-1])

    @precondition(lambda self: self.sent)
    @rule(policy=policies, which=st.integers(1, 5))
    def a_batch_is_repeated(self, policy: Terms, which: int) -> None:
        self._record(policy, self.sent[-min(which, len(self.sent))])

    def _epoch(self, which: int) -> int:
        return self.epochs[max(which, -len(self.epochs))]

    def _record(self, policy: Terms, batch: Batch) -> None:
        before, reported = self.circuit, self.reported
        is_repeated = batch.number <= reported.numbers.get(batch.replica, 0)
        if self._counts() and not is_repeated:
            reported.add(batch, before.epoch, policy, self.now)
        decision = self._apply(rules.record(before, policy, self.now, batch))
        if not self._override_expired(before):
            assert not (is_repeated and decision.events)
            assert before.state is CLOSED or decision.circuit is before
        if any(event.trigger in (Trigger.THRESHOLD, Trigger.STREAK) for event in decision.events):
            assert self.now >= before.judges_from_ms, "opened during the hold"
            voters = [name for name, until in reported.voters.items() if until > self.now]
            assert policy.quorum == 1 or len(voters) >= policy.quorum, f"opened with votes of {voters} only"
        elif self._counts() and not is_repeated and self.circuit.override is None:
            found = read(self.circuit, policy, self.now)
            reaches = policy.reached(found.counts.failure_rate, found.counts.slow_rate)
            reaches = reaches and self.now >= before.judges_from_ms
            has_quorum = policy.quorum == 1 or len(found.voters) >= policy.quorum
            assert not (found.counts.samples >= policy.min_samples and reaches and has_quorum), f"closed after {found}"

    def _counts(self) -> bool:
        """Whether the circuit counts a report now."""
        override = self.circuit.override
        disabled = override is not None and override.mode is OverrideMode.DISABLED
        return self.circuit.state is CLOSED and not disabled and not self._override_expired(self.circuit)

    def _override_expired(self, circuit: Circuit) -> bool:
        """Whether an override has expired, which the next verb that writes records as a new epoch."""
        return circuit.override is not None and circuit.override.expired(self.now)

    @invariant()
    def the_window_holds_what_this_epoch_reported(self) -> None:
        for policy in POLICIES:
            found = read(self.circuit, policy, self.now).counts
            least, most = self.reported.at_least(policy, self.now), self.reported.at_most(policy, self.now)
            assert _within(least, found, most), f"{found} counted; expected between {least} and {most}"

    # ---- probes -----------------------------------------------------------------------------------------------------

    @rule(policy=policies, by=replicas)
    def request_a_lease(self, policy: Any, by: str) -> None:
        token = f"t{len(self.granted)}"
        decision = self._apply(rules.lease(self.circuit, policy, self.now, by, 0, token), refusable=True)
        if decision.granted:
            self.granted[token] = decision.circuit.leases[token]
            assert len(self._active_leases()) <= policy.probes

    @rule(policy=policies, by=replicas, which=st.integers(0, 3), outcome=outcomes, requested=st.sampled_from([1, 800]))
    def end_a_probe(self, policy: Terms, by: str, which: int, outcome: Outcome, requested: int) -> None:
        self._settle(
            policy, by, list(self.granted)[-1 - which] if which < len(self.granted) else "forged", outcome, requested
        )

    @precondition(lambda self: self._active_leases())
    @rule(policy=policies, by=replicas, outcome=outcomes, requested=st.sampled_from([1, 800]))
    def end_an_active_probe(self, policy: Terms, by: str, outcome: Outcome, requested: int) -> None:
        self._settle(policy, by, self._active_leases()[0], outcome, requested)

    def _active_leases(self) -> list[str]:
        return [token for token, held in self.circuit.leases.items() if held.is_active(self.now)]

    def _settle(self, policy: Terms, by: str, token: str, outcome: Outcome, requested: int) -> None:
        held, before = self.circuit.leases.get(token), self.circuit
        decision = self._apply(rules.settle(before, policy, self.now, by, token, outcome, requested), refusable=True)
        counts = held is not None and held.epoch == before.epoch and held.until_ms > self.now
        if not self._override_expired(before) and (not counts or outcome is Outcome.CANCELLED):
            assert not decision.events
            assert replace(decision.circuit, leases=before.leases) == before
        if outcome is Outcome.INVALID:
            assert decision == rules.settle(before, policy, self.now, by, token, Outcome.OK, requested)

    # ---- overrides and restores -------------------------------------------------------------------------------------

    @rule(mode=st.sampled_from([*OverrideMode, *4 * [None]]), for_ms=st.sampled_from([None, 100, 100, 700]))
    def set_or_end_an_override(self, mode: Any, for_ms: int | None) -> None:
        self._apply(rules.override(self.circuit, self.now, mode, "why", "kim", for_ms))

    @rule(policy=policies, which=st.integers(1, 4), stale=st.booleans())
    def lose_and_restore_the_ledger(self, policy: Terms, which: int, stale: bool) -> None:
        if not stale:
            self.circuit, self.reported = Circuit(), Epoch()
            self.epochs.append(0)
        there, before = self.points[-min(which, len(self.points))], self.circuit
        here = read(before, policy, self.now).restore_point()
        decision = self._apply(rules.restore(before, policy, self.now, "a", there), refusable=True)
        tied = before.epoch == there.epoch and rules.origin(before) != rules.origin(there)
        behind = before.epoch < there.epoch
        assert bool(decision.events) == (behind or tied or self._misses(before.epoch, there.epoch, policy))
        if decision.events:
            restored = decision.circuit.epoch
            until = restored if behind or tied else self.missed[before.epoch][1]
            self.missed[restored] = there.epoch, until, self.now
            assert decision.circuit.epoch > max(there.epoch, before.epoch)
            assert decision.circuit.open_count == max(there.open_count, before.open_count)
            self._check_restored(decision.circuit, here, there, policy)

    def _misses(self, epoch: int, known: int, policy: Terms) -> bool:
        """Whether the ledger's epoch was just restored without the transition `known`."""
        after, until, at = self.missed.get(epoch, (0, 0, 0))
        return after < known < until and self.now < at + policy.lease_ms

    def _check_restored(self, restored: Circuit, here: RestorePoint, there: RestorePoint, policy: Terms) -> None:
        """Nothing closes without a probe, and no open duration is shortened."""
        if restored.override is not None:
            assert restored.override in (here.override, there.override)
            assert (restored.state is OPEN) == (restored.override.mode is OverrideMode.OPEN)
        elif here.state is there.state is CLOSED:
            assert restored.state is CLOSED
        else:
            open_ms = max(side.left_ms for side in (here, there)) or policy.lease_ms
            assert (restored.state, restored.open_until_ms) == (OPEN, self.now + open_ms)

    # ---- invariants -------------------------------------------------------------------------------------------------

    @invariant()
    def snapshots_are_consistent(self) -> None:
        for policy in POLICIES:
            found = read(self.circuit, policy, self.now)
            assert found.epoch == self.circuit.epoch
            assert found.left_ms >= -1
            assert found.slot_wait_ms >= 0
            assert (found.left_ms != 0) == (found.state is OPEN)

    @invariant()
    def an_open_circuit_has_an_end_unless_overridden(self) -> None:
        if self.circuit.state is OPEN and self.circuit.override is None:
            assert self.circuit.open_until_ms - self.now <= T.open_max_ms


def _within(least: Counts, found: Counts, most: Counts) -> bool:
    return all(getattr(least, kind) <= getattr(found, kind) <= getattr(most, kind) for kind in ("ok", "failed", "slow"))


AnyHistory.TestCase.settings = deep(250, stateful_step_count=40)
TestProperties = AnyHistory.TestCase
