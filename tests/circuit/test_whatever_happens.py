"""What holds after any history of verbs, in any order, from any number of replicas, under two policies at once."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ha_rag.circuit import rules
from ha_rag.circuit.rules import WOULD_OPEN, Batch, Belief, Ruling, Tally
from ha_rag.circuit.snapshot import read
from ha_rag.circuit.state import Circuit, Counts, Lease, OverrideMode
from ha_rag.circuit.transitions import TABLE, Trigger
from ha_rag.messages import Outcome
from tests.circuit.law import CLOSED, HALF_OPEN, NOW, OPEN, T, terms

POLICIES = (T, terms(quorum=2, probes=2, bucket_ms=200, window_ms=2000, probe_successes=1, slow_threshold=0.5))
CAN_CLOSE = {Trigger.PROBES_WON, Trigger.FORCED_CLOSED, Trigger.OVERRIDE_ENDED, Trigger.TAUGHT_CLOSED, WOULD_OPEN}

policies = st.sampled_from(POLICIES)
replicas = st.sampled_from("abc")
outcomes = st.sampled_from([o for o in Outcome if o not in (Outcome.REJECTED, Outcome.SKIPPED)])
counts = st.builds(Counts, st.integers(0, 3), st.integers(0, 3), st.integers(0, 2))


class AnyHistory(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.now, self.circuit, self.number = NOW, Circuit(), 0
        self.epochs = [0]
        self.granted: dict[str, Lease] = {}
        self.beliefs = [Belief(CLOSED, 0)]

    def take(self, ruling: Ruling, *, refusable: bool = False) -> Ruling:
        before, after = self.circuit, ruling.circuit
        self._events_tell_the_whole_story(before, ruling)
        if refusable and not (ruling.events or ruling.granted or ruling.touched):
            assert after is before
        if after.epoch != before.epoch:
            assert after.epoch >= self.now
            assert not after.window or ruling.events[-1].after is CLOSED
            assert (after.probe_successes, after.probe_slow) == (0, 0)
        if before.state is not HALF_OPEN and after.state is HALF_OPEN:
            assert ruling.granted
        self.circuit = after
        self.epochs.append(after.epoch)
        self.beliefs.append(read(after, T, self.now).belief())
        return ruling

    @staticmethod
    def _events_tell_the_whole_story(before: Circuit, ruling: Ruling) -> None:
        state, epoch = before.state, before.epoch
        for event in ruling.events:
            assert (event.before, event.previous_epoch) == (state, epoch)
            if event.trigger != WOULD_OPEN:
                assert event.epoch > epoch
                assert TABLE[event.before, Trigger(event.trigger)] is event.after
            if event.after is CLOSED:
                assert event.trigger in CAN_CLOSE
            state, epoch = event.after, event.epoch
        assert (state, epoch) == (ruling.circuit.state, ruling.circuit.epoch)

    @rule(ms=st.sampled_from([1, 99, 100, 299, 300, 301, 500, 501, 1000, 2500]))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule(policy=policies, by=replicas, some=counts, age=st.sampled_from([0, 50, 1500]), failing=st.booleans(),
          asked=st.sampled_from([0, 0, 0, 800]), which=st.sampled_from([-1, -1, -1, -2, 0]))  # fmt: skip
    def report(self, policy: Any, by: str, some: Counts, age: int, failing: bool, asked: int, which: int) -> None:
        self.number += 1
        epoch = self.epochs[max(which, -len(self.epochs))]
        batch = Batch(by, self.number, (Tally(epoch, self.now - age, some),), failing, asked, epoch)
        before = self.circuit
        ruling = self.take(rules.record(before, policy, self.now, batch))
        if before.state is not CLOSED and not ruling.events:
            assert ruling.circuit is before

    @rule(policy=policies, by=replicas)
    def ask_for_a_probe(self, policy: Any, by: str) -> None:
        token = f"t{len(self.granted)}"
        ruling = self.take(rules.lease(self.circuit, policy, self.now, by, 0, token), refusable=True)
        if ruling.granted:
            self.granted[token] = ruling.circuit.leases[token]
            standing = [held for held in self.circuit.leases.values() if held.stands(self.now)]
            assert len(standing) <= policy.probes

    @rule(policy=policies, by=replicas, which=st.integers(0, 3), outcome=outcomes, asked=st.sampled_from([1, 800]))
    def end_a_probe(self, policy: Any, by: str, which: int, outcome: Outcome, asked: int) -> None:
        token = list(self.granted)[-1 - which] if which < len(self.granted) else "forged"
        held, before = self.circuit.leases.get(token), self.circuit
        ruling = self.take(rules.settle(before, policy, self.now, by, token, outcome, asked), refusable=True)
        if held is None or held.epoch != before.epoch or held.until_ms <= self.now:
            assert ruling.circuit.state is before.state

    @rule(mode=st.sampled_from([*OverrideMode, None]), for_ms=st.sampled_from([None, 100, 700]))
    def an_operator_speaks(self, mode: Any, for_ms: int | None) -> None:
        self.take(rules.override(self.circuit, self.now, mode, "why", "kim", for_ms))

    @rule(policy=policies, which=st.integers(1, 4), stale=st.booleans())
    def the_ledger_forgets_and_is_taught(self, policy: Any, which: int, stale: bool) -> None:
        if not stale:
            self.circuit = Circuit()
        belief, before = self.beliefs[-min(which, len(self.beliefs))], self.circuit
        left = before.open_until_ms - self.now if before.state is OPEN and before.override is None else 0
        ruling = self.take(rules.teach(before, policy, self.now, "a", belief), refusable=True)
        if ruling.events and ruling.circuit.override is None and left > 0:
            assert (ruling.circuit.state, ruling.circuit.open_until_ms >= before.open_until_ms) == (OPEN, True)
        if ruling.events:
            assert ruling.circuit.epoch > belief.epoch

    @invariant()
    def reading_changes_nothing_and_never_fails(self) -> None:
        for policy in POLICIES:
            found = read(self.circuit, policy, self.now)
            assert found.epoch == self.circuit.epoch
            assert found.left_ms >= -1
            assert found.standing_ms >= 0
            assert (found.left_ms != 0) == (found.state is OPEN)

    @invariant()
    def a_circuit_that_rests_has_an_end_unless_an_operator_gave_it_none(self) -> None:
        if self.circuit.state is OPEN and self.circuit.override is None:
            assert self.circuit.open_until_ms - self.now <= T.rest_max_ms


AnyHistory.TestCase.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestWhateverHappens = AnyHistory.TestCase
