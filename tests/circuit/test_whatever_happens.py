"""What holds after any history of verbs, in any order, from any number of replicas, under two policies at once."""

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
from ha_rag.messages import Outcome
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
"""Of a result, when it is reported; below 0: by a clock that is ahead."""


@dataclass
class Epoch:
    """What was reported in one epoch of a ledger that forgot nothing meanwhile.

    `counted`: under which terms, when it ended, and how often. `voters`: replica -> until when it sees the failures.
    `numbers`: replica -> that of its last batch.
    """

    counted: list[tuple[Terms, int, Counts]] = field(default_factory=list)
    voters: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def take(self, batch: Batch, epoch: int, policy: Terms, now: int) -> None:
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
        """Without what may lie in a bucket that has left the window, the policy's own or the reporter's."""
        sure = [
            some for under, at, some in self.counted
            if at - under.bucket_ms >= now - min(policy.window_ms, under.window_ms)
        ]  # fmt: skip
        return sum(sure, Counts())


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
        """Epoch that was taught -> between which epochs something is missing, and when it was taught."""
        self.beliefs = [RestorePoint(CLOSED, 0), read(start, T, self.now).restore_point()]

    def take(self, decision: Decision, *, refusable: bool = False) -> Decision:
        before, after = self.circuit, decision.circuit
        self._events_tell_the_whole_story(before, decision)
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
        self.beliefs.append(read(after, T, self.now).restore_point())
        return decision

    @staticmethod
    def _events_tell_the_whole_story(before: Circuit, decision: Decision) -> None:
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
          late=st.none() | counts, asked=st.sampled_from([0, 0, 0, 800]),
          which=st.sampled_from([-1, -1, -1, -2, 0]))  # fmt: skip
    def report(
        self, policy: Terms, by: str, some: Counts, age: int, failing: bool, late: Counts | None, asked: int, which: int
    ) -> None:
        """`late`: what calls of the epoch before ended in, in the same batch."""
        self.number += 1
        epoch, at = self._epoch(which), self.now - age
        tallies = [Tally(epoch, at, some)] + ([Tally(self._epoch(-2), at, late)] if late else [])
        self.sent.append(Batch(by, self.number, tuple(tallies), failing, asked, epoch, at))
        self._record(policy, self.sent[-1])

    @precondition(lambda self: self.sent)
    @rule(policy=policies, which=st.integers(1, 5))
    def a_batch_comes_again(self, policy: Terms, which: int) -> None:
        self._record(policy, self.sent[-min(which, len(self.sent))])

    def _epoch(self, which: int) -> int:
        return self.epochs[max(which, -len(self.epochs))]

    def _record(self, policy: Terms, batch: Batch) -> None:
        before, reported = self.circuit, self.reported
        seen = batch.number <= reported.numbers.get(batch.replica, 0)
        if self._counts() and not seen:
            reported.take(batch, before.epoch, policy, self.now)
        decision = self.take(rules.record(before, policy, self.now, batch))
        if not self._has_lapsed(before):
            assert not (seen and decision.events)
            assert before.state is CLOSED or decision.circuit is before
        if any(event.trigger in (Trigger.THRESHOLD, Trigger.STREAK) for event in decision.events):
            assert self.now >= before.judges_from_ms, "opened while it should only count"
            seeing = [name for name, until in reported.voters.items() if until > self.now]
            assert policy.quorum == 1 or len(seeing) >= policy.quorum, f"opened for all by {seeing}"
        elif self._counts() and not seen and self.circuit.override is None:
            found = read(self.circuit, policy, self.now)
            bad = policy.reached(found.counts.failure_rate, found.counts.slow_rate)
            bad = bad and self.now >= before.judges_from_ms
            seen_by_enough = policy.quorum == 1 or len(found.voters) >= policy.quorum
            assert not (found.counts.samples >= policy.min_samples and bad and seen_by_enough), f"closed after {found}"

    def _counts(self) -> bool:
        """Whether a report counts now."""
        word = self.circuit.override
        disabled = word is not None and word.mode is OverrideMode.DISABLED
        return self.circuit.state is CLOSED and not disabled and not self._has_lapsed(self.circuit)

    def _has_lapsed(self, circuit: Circuit) -> bool:
        """Whether an operator's word has ended, and the next verb that writes makes an epoch of it."""
        return circuit.override is not None and circuit.override.expired(self.now)

    @invariant()
    def what_is_counted_is_what_this_epoch_reported_within_the_window(self) -> None:
        for policy in POLICIES:
            found = read(self.circuit, policy, self.now).counts
            least, most = self.reported.at_least(policy, self.now), self.reported.at_most(policy, self.now)
            assert _within(least, found, most), f"{found} counted, of at least {least} and at most {most}"

    # ---- probes -----------------------------------------------------------------------------------------------------

    @rule(policy=policies, by=replicas)
    def ask_for_a_probe(self, policy: Any, by: str) -> None:
        token = f"t{len(self.granted)}"
        decision = self.take(rules.lease(self.circuit, policy, self.now, by, 0, token), refusable=True)
        if decision.granted:
            self.granted[token] = decision.circuit.leases[token]
            assert len(self._standing()) <= policy.probes

    @rule(policy=policies, by=replicas, which=st.integers(0, 3), outcome=outcomes, asked=st.sampled_from([1, 800]))
    def end_a_probe(self, policy: Terms, by: str, which: int, outcome: Outcome, asked: int) -> None:
        self._settle(
            policy, by, list(self.granted)[-1 - which] if which < len(self.granted) else "forged", outcome, asked
        )

    @precondition(lambda self: self._standing())
    @rule(policy=policies, by=replicas, outcome=outcomes, asked=st.sampled_from([1, 800]))
    def a_probe_that_stands_ends(self, policy: Terms, by: str, outcome: Outcome, asked: int) -> None:
        self._settle(policy, by, self._standing()[0], outcome, asked)

    def _standing(self) -> list[str]:
        return [token for token, held in self.circuit.leases.items() if held.is_active(self.now)]

    def _settle(self, policy: Terms, by: str, token: str, outcome: Outcome, asked: int) -> None:
        held, before = self.circuit.leases.get(token), self.circuit
        decision = self.take(rules.settle(before, policy, self.now, by, token, outcome, asked), refusable=True)
        counts = held is not None and held.epoch == before.epoch and held.until_ms > self.now
        if not self._has_lapsed(before) and (not counts or outcome is Outcome.CANCELLED):
            assert not decision.events
            assert replace(decision.circuit, leases=before.leases) == before
        if outcome is Outcome.INVALID:
            assert decision == rules.settle(before, policy, self.now, by, token, Outcome.OK, asked)

    # ---- operators, and what is taught ------------------------------------------------------------------------------

    @rule(mode=st.sampled_from([*OverrideMode, *4 * [None]]), for_ms=st.sampled_from([None, 100, 100, 700]))
    def an_operator_speaks(self, mode: Any, for_ms: int | None) -> None:
        self.take(rules.override(self.circuit, self.now, mode, "why", "kim", for_ms))

    @rule(policy=policies, which=st.integers(1, 4), stale=st.booleans())
    def the_ledger_forgets_and_is_taught(self, policy: Terms, which: int, stale: bool) -> None:
        if not stale:
            self.circuit, self.reported = Circuit(), Epoch()
            self.epochs.append(0)
        there, before = self.beliefs[-min(which, len(self.beliefs))], self.circuit
        here = read(before, policy, self.now).restore_point()
        decision = self.take(rules.restore(before, policy, self.now, "a", there), refusable=True)
        tied = before.epoch == there.epoch and rules.origin(before) != rules.origin(there)
        behind = before.epoch < there.epoch
        assert bool(decision.events) == (behind or tied or self._misses(before.epoch, there.epoch, policy))
        if decision.events:
            taught = decision.circuit.epoch
            until = taught if behind or tied else self.missed[before.epoch][1]
            self.missed[taught] = there.epoch, until, self.now
            assert decision.circuit.epoch > max(there.epoch, before.epoch)
            assert decision.circuit.open_count == max(there.open_count, before.open_count)
            self._taught_what_both_sides_knew(decision.circuit, here, there, policy)

    def _misses(self, epoch: int, known: int, policy: Terms) -> bool:
        """Whether the ledger's epoch was just taught by those who had not heard what another one knows."""
        after, until, at = self.missed.get(epoch, (0, 0, 0))
        return after < known < until and self.now < at + policy.lease_ms

    def _taught_what_both_sides_knew(
        self, taught: Circuit, here: RestorePoint, there: RestorePoint, policy: Terms
    ) -> None:
        """Nothing closes without a probe, and no rest is cut short."""
        if taught.override is not None:
            assert taught.override in (here.override, there.override)
            assert (taught.state is OPEN) == (taught.override.mode is OverrideMode.OPEN)
        elif here.state is there.state is CLOSED:
            assert taught.state is CLOSED
        else:
            open_ms = max(side.left_ms for side in (here, there)) or policy.lease_ms
            assert (taught.state, taught.open_until_ms) == (OPEN, self.now + open_ms)

    # ---- whatever happened ------------------------------------------------------------------------------------------

    @invariant()
    def reading_changes_nothing_and_never_fails(self) -> None:
        for policy in POLICIES:
            found = read(self.circuit, policy, self.now)
            assert found.epoch == self.circuit.epoch
            assert found.left_ms >= -1
            assert found.slot_wait_ms >= 0
            assert (found.left_ms != 0) == (found.state is OPEN)

    @invariant()
    def a_circuit_that_rests_has_an_end_unless_an_operator_gave_it_none(self) -> None:
        if self.circuit.state is OPEN and self.circuit.override is None:
            assert self.circuit.open_until_ms - self.now <= T.open_max_ms


def _within(least: Counts, found: Counts, most: Counts) -> bool:
    return all(getattr(least, kind) <= getattr(found, kind) <= getattr(most, kind) for kind in ("ok", "failed", "slow"))


AnyHistory.TestCase.settings = deep(250, stateful_step_count=40)
TestWhateverHappens = AnyHistory.TestCase
