"""For any sequence of replies, messages and outcomes a view behaves as `view_oracle.py` specifies, step by step.

The ledger is simulated: its messages come in order, late, twice or never, it loses data, its clock jumps, and it may
give one epoch to two transitions. `make test-deep` searches longer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ha_rag.circuit.bounds import MAX_REST_MS
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState, Counts, OperatorOverride, OverrideMode
from ha_rag.ledger.view.cached_snapshot import Intact
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.reconcile import Reconciliation
from ha_rag.ledger.view.refused import Refused
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.outcomes import Outcome
from tests.depth import deep
from tests.ledger.view_oracle import NEVER, Admitted, Oracle, Reading
from tests.ledger.views import REDIS_MS, OneView

POLICY = CircuitPolicy(
    min_samples=1, window_s=86_400.0, recovery_timeout_s=1.0, recovery_timeout_max_s=4.0, probe_timeout_s=1.0
)

# All times are multiples of an eighth of a second, which a float represents exactly.
MOMENTS = st.sampled_from([125, 250, 500, 500, 1000, 1000, 3000])
LEFT = st.sampled_from([250, 500, 1000, 3000])
LESSON_MS = 1000
PICK = st.integers(0, 7)
STATES = st.sampled_from(["closed", "open", "open", "half_open"])
OVERRIDES = st.sampled_from(["", "", "", "", *OverrideMode])
STARTS = [
    "from_nothing", "while_the_fleet_is_open", "half_open", "refused_a_probe", "about_to_trip_locally",
    "while_tripped_locally", "alone_while_tripped_locally", "alone_after_the_fleets_open_duration",
    "alone_after_a_failed_probe", "under_an_override", "held_closed",
]  # fmt: skip
MODES = {mode.value: mode for mode in OverrideMode}


@dataclass(frozen=True)
class Transition:
    """The ledger's state between two changes. Ends in ms of the replica's clock; None: never."""

    epoch: int = 0
    previous: int = 0
    state: str = "closed"
    origin: int = 0
    until_ms: float = 0
    open_count: int = 0
    override: str = ""
    override_until_ms: float | None = None
    missed: tuple[int, int] = (0, 0)
    missed_until_ms: float = 0

    def reading_at(self, now: float, ledger_ms: int, slot_wait_ms: int) -> Reading:
        """The state as read at that moment."""
        left_ms = max(0.0, self.until_ms - now) if self.state == "open" else 0.0
        override_ms = None if self.override_until_ms is None else int(self.override_until_ms - now)
        override = self.override if override_ms is None or override_ms > 0 else ""
        state = "half_open" if self.state == "open" and left_ms == 0 else self.state
        return Reading(
            self.epoch, state, self.origin, ledger_ms, -1 if left_ms == NEVER else int(left_ms), slot_wait_ms,
            self.open_count, override, override_ms if override else None,
            self.missed if now < self.missed_until_ms else (0, 0),
        )  # fmt: skip


def snapshot_of(reading: Reading) -> Snapshot:
    """The same as a snapshot. Origins differ in one field each; negative ones only in the state."""
    differs = reading.origin % 3
    override = None
    if reading.override:
        until_ms = None if reading.override_ms is None else reading.taken_ms + reading.override_ms
        override = OperatorOverride(MODES[reading.override], "because", "me", until_ms)
    return Snapshot(
        now_ms=reading.taken_ms,
        state=CircuitState(reading.state),
        epoch=reading.epoch,
        left_ms=int(reading.left_ms),
        slot_wait_ms=reading.slot_wait_ms,
        missed=reading.missed,
        open_count=reading.open_count,
        changed_at_ms=reading.origin if reading.origin > 0 and differs == 0 else 0,
        reason=f"because {reading.origin}" if reading.origin > 0 and differs == 1 else "",
        opened_by=f"r{reading.origin}" if reading.origin > 0 and differs == 2 else "",
        override=override,
    )


KNOWN = st.sampled_from(["nothing", "nothing lost", "lost recently", "lost"])
"""What the replica knows about the ledger when it asks: whether it has lost something since the last poll."""


class ViewMachine(RuleBasedStateMachine):
    """Begins with the method named `start`."""

    start: ClassVar[str]

    @initialize(successes=st.integers(1, 2))
    def begin(self, successes: int) -> None:
        self.view = OneView(replace(POLICY, probe_successes=successes))
        self.began = self.now
        self.oracle = Oracle(lambda: self.now - self.began, lambda: self.view.clock.now_s, successes)
        self.ledger = Transition()
        self.past = [self.ledger]
        self.ahead_ms = 0
        self.in_flight: list[tuple[Reading, int | None]] = []
        """Snapshots in flight, each with its previous epoch; None: a reply."""
        self.calls: list[tuple[Epochs, Admitted]] = []
        self.probes: list[Grant] = []
        self.reported: list[Batch] = []
        self.tokens = 0
        self.highest = self.replied = 0
        self.promised_ms = 0.0
        getattr(self, self.start)()

    # ---- start states -----------------------------------------------------------------------------------------------

    def from_nothing(self) -> None: ...

    def while_the_fleet_is_open(self, left: int = 1000) -> None:
        self.the_ledger_changes("open", left, 2, False, False, "", None, 1, "at once")

    def half_open(self) -> None:
        self.the_ledger_changes("half_open", 250, 2, False, False, "", None, 1, "at once")

    def refused_a_probe(self) -> None:
        self.half_open()
        self.a_call_comes()
        self.the_ledger_answers_the_lease_request(0, None, False)

    def about_to_trip_locally(self) -> None:
        self.calls_come(1, "well")
        self.counted_outcomes_are_reported()
        self.calls_come(1, "badly")

    def while_tripped_locally(self) -> None:
        self.calls_come(1, "badly")
        self.time_passes(125, True)

    def alone_while_tripped_locally(self) -> None:
        self.the_ledger_refuses_or_accepts_verbs()
        self.calls_come(1, "badly")

    def alone_after_the_fleets_open_duration(self) -> None:
        self.while_the_fleet_is_open(250)
        self.the_ledger_refuses_or_accepts_verbs()
        self.time_passes(250, True)

    def alone_after_a_failed_probe(self) -> None:
        self.alone_after_the_fleets_open_duration()
        self.a_call_comes()
        self.a_probe_of_its_own_ends(0, False)

    def under_an_override(self) -> None:
        self.the_ledger_changes("closed", 250, 2, False, False, "shadow", 500, 0, "at once")

    def held_closed(self) -> None:
        self.the_ledger_changes("closed", 250, 2, False, False, "closed", 500, 0, "at once")

    # ---- times ------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Milliseconds of the replica's clock."""
        return self.view.clock.now_s * 1000

    @property
    def ledger_ms(self) -> int:
        return REDIS_MS + int(self.now - self.began) + self.ahead_ms

    def says(self, slot_wait_ms: int = 0, known: str = "nothing") -> Reading:
        reading = self.ledger.reading_at(self.now - self.began, self.ledger_ms, slot_wait_ms)
        now_s = self.view.clock.now_s
        since_s = {"nothing": None, "nothing lost": 0.0, "lost recently": now_s - 0.3, "lost": math.inf}[known]
        return replace(reading, intact_s=None if since_s is None else (since_s, now_s))

    # ---- the ledger -------------------------------------------------------------------------------------------------

    def answers(self, reading: Reading) -> None:
        received = self.view.apply_reply(snapshot_of(reading), reading.intact_s and Intact(*reading.intact_s))
        expected = self.oracle.answered(reading)
        self._took(reading, received, expected == "new")
        assert received.needs_restore == (expected == "forgot"), f"expected {expected!r}, got {received}"
        assert received.needs_read == (expected == "unconfirmed")

    def tells(self, reading: Reading, previous: int) -> None:
        received, expected = (
            self.view.apply_message(snapshot_of(reading), previous),
            self.oracle.receive_message(reading, previous),
        )
        self._took(reading, received, expected.startswith("new"))
        assert received.needs_read == ("gap" in expected), f"expected {expected!r}, got {received}"
        assert not received.needs_restore

    def _took(self, reading: Reading, received: Reconciliation, new: bool) -> None:
        assert (received.after == snapshot_of(reading)) == new
        assert (received.before is not None) == new
        if received.needs_restore or received.needs_read:
            event("forgot" if received.needs_restore else "gap")
        self.oracle.look()

    @rule(state=STATES, left=LEFT, step=st.integers(1, 3), tie=st.booleans(), alike=st.booleans(), override=OVERRIDES,
          override_ms=st.one_of(st.none(), LEFT), opened=st.integers(0, 2),
          way=st.sampled_from(["at once", "at once", "late", "lost"]),
          epochs_behind=st.sampled_from([None, None, None, 0, 1, 1]))  # fmt: skip
    def the_ledger_changes(
        self, state: str, left: int, step: int, tie: bool, alike: bool, override: str, override_ms: int | None,
        opened: int, way: str, epochs_behind: int | None = None,
    ) -> None:  # fmt: skip
        """`epochs_behind`: it is restored by a replica whose epoch is this much older than the view's."""
        now = self.now - self.began
        if override:
            state = "open" if override == "open" else "closed"
        until = (NEVER if override_ms is None else now + override_ms) if override else now + left
        epoch = self.ledger.epoch + step
        if tie and self.view.fleet.epoch > self.ledger.epoch:
            epoch = self.view.fleet.epoch
        origin = 3 * len(self.past) + (self.oracle.cached.origin if tie else step) % 3
        if alike:
            origin = -1 if state == "closed" else -2
        before = self.ledger.epoch
        override_until = now + override_ms if override and override_ms is not None else None
        after = self.view.fleet.epoch - (epochs_behind or 0)
        missed = (after, epoch) if epochs_behind is not None and 0 < after < epoch else (0, 0)
        self.ledger = Transition(
            epoch, before, state, origin, until, opened, override, override_until, missed, now + LESSON_MS
        )
        self.past.append(self.ledger)
        if way == "at once":
            self.tells(self.says(), before)
        elif way == "late":
            self.in_flight.append((self.says(), before))

    @rule(which=PICK, ahead_ms=st.sampled_from([0, 0, -3000, -500, 500]))
    def the_ledger_loses_its_data(self, which: int, ahead_ms: int) -> None:
        self.ledger = self.past[which % len(self.past)]
        self.ahead_ms += ahead_ms

    @rule(slot_wait_ms=st.sampled_from([0, 0, 500]), known=KNOWN)
    def the_ledger_is_read(self, slot_wait_ms: int, known: str) -> None:
        self.answers(self.says(slot_wait_ms, known))

    @rule(slot_wait_ms=st.sampled_from([0, 500]), message=st.booleans(), known=KNOWN)
    def the_ledger_says_something_that_arrives_later(self, slot_wait_ms: int, message: bool, known: str) -> None:
        """A message without a transition: a probe was settled, and a slot is free."""
        self.in_flight.append((self.says(slot_wait_ms, known), self.ledger.epoch if message else None))

    @precondition(lambda self: self.in_flight)
    @rule(which=PICK, again=st.booleans())
    def something_arrives(self, which: int, again: bool) -> None:
        reading, previous = self.in_flight[which % len(self.in_flight)]
        if not again:
            self.in_flight.remove((reading, previous))
        if previous is None:
            self.answers(reading)
        else:
            self.tells(reading, previous)

    @rule()
    def the_ledger_refuses_or_accepts_verbs(self) -> None:
        away = not self.oracle.away
        for _ in range(2):
            assert self.view.set_ledger_unreachable(away) == self.oracle.goes_away(away)

    # ---- leases -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.oracle.asked)
    @rule(ago_ms=st.sampled_from([0, 0, 125]), wait_ms=st.sampled_from([None, 0, 500]), grants=st.booleans())
    def the_ledger_answers_the_lease_request(self, ago_ms: int, wait_ms: int | None, grants: bool) -> None:
        self.answers(self.says())
        self.tokens += 1
        token, asked_s = f"t{self.tokens}", (self.now - ago_ms) / 1000
        wait = -1 if wait_ms is None else wait_ms
        unused = self.view.lease_answered(Reply(snapshot_of(self.says()), grants, wait), token, asked_s)
        if grants:
            back = self.oracle.granted(token, self.now - self.began - ago_ms, self.ledger.epoch)
            assert (unused.token if unused else None) == back
        else:
            self.oracle.denied(wait_ms)
            assert unused is None

    @precondition(lambda self: self.oracle.asked)
    @rule()
    def the_lease_request_is_not_answered(self) -> None:
        assert self.view.lease_answered(None, "", self.now / 1000) is None
        self.oracle.denied(0)

    @rule()
    def unused_grants_are_returned(self) -> None:
        stale = self.view.stale_grant()
        assert (stale.token if stale else None) == self.oracle.stale_grant()

    # ---- calls ------------------------------------------------------------------------------------------------------

    def _call(self) -> Epochs | Grant | Refused:
        """Like a breaker: first the fast path, then the slow one."""
        if self.view.gate.passing is not None:
            return self.view.gate.passing
        if self.view.clock.now_s < self.view.gate.refusing_until_s:
            return Refused(CircuitState.OPEN, self.view.gate.refusing_until_s - self.view.clock.now_s)
        return self.view.gate.admit()

    @rule(times=st.integers(1, 3), ends=st.sampled_from(["", "well", "badly", "badly"]))
    def calls_come(self, times: int, ends: str) -> None:
        for _ in range(times):
            self.a_call_comes()
            if ends and self.calls:
                self._ends(len(self.calls) - 1, ends == "well")

    def a_call_comes(self) -> None:
        expected, wait_ms, asks = self.oracle.calls()
        answer = self._call()
        assert _named(answer) == expected, f"expected {expected} for {wait_ms} ms, got {answer}"
        event(f"{expected}, away: {self.oracle.away}")
        if isinstance(answer, Refused):
            wait_s = answer.retry_after_s
            assert (NEVER if wait_s is None else wait_s * 1000) == wait_ms
            assert answer.ask == asks
            return
        assert self.oracle.mode() or self.now >= self.promised_ms, "an open duration was cut short"
        if isinstance(answer, Epochs):
            self.calls.append((answer, self.oracle.call()))
        elif answer.local:
            self.oracle.probe_began(answer.token)
            self.probes.append(answer)

    @precondition(lambda self: self.calls)
    @rule(which=PICK, well=st.booleans())
    def a_call_ends(self, which: int, well: bool) -> None:
        self._ends(which % len(self.calls), well)

    def _ends(self, which: int, well: bool) -> None:
        epochs, call = self.calls.pop(which)
        counts = self.oracle.call_ended(call, well)
        if well:
            self.view.gate.succeeded(epochs, self.view.clock.now_s)
        else:
            assert self.view.gate.failed(epochs, self.view.clock.now_s) == counts

    @precondition(lambda self: self.probes)
    @rule(which=PICK, well=st.booleans())
    def a_probe_of_its_own_ends(self, which: int, well: bool) -> None:
        grant = self.probes.pop(which % len(self.probes))
        self.view.settle_locally(grant, Outcome.OK if well else Outcome.FAILED)
        self.oracle.probe_ended(grant.token, well)

    @rule()
    def counted_outcomes_are_reported(self) -> None:
        batch, (ok, failed) = self.view.batch(self.ledger_ms), self.oracle.unreported
        if batch is None:
            assert ok + failed == 0
            return
        assert {tally.epoch for tally in batch.tallies} == {self.oracle.cached.epoch}
        assert sum((tally.counts for tally in batch.tallies), Counts()) == Counts(ok, failed)
        assert batch.failing == self.oracle.own.failing()
        self.view.batch_acknowledged(batch)
        self.oracle.batches, self.oracle.unreported = batch.number, [0, 0]
        self.reported.append(batch)

    @precondition(lambda self: self.reported)
    @rule(which=PICK)
    def the_fleet_evaluates_a_batch_and_stays_closed(self, which: int) -> None:
        batch = self.reported.pop(which % len(self.reported))
        self.view.batch_evaluated(batch)
        self.oracle.judged(batch.number)

    # ---- time and invariants ----------------------------------------------------------------------------------------

    @rule(ms=MOMENTS, tidies=st.booleans())
    def time_passes(self, ms: int, tidies: bool) -> None:
        self.view.clock.advance(ms / 1000)
        if tidies:
            self.view.tick()
            self.oracle.ticks()

    @invariant()
    def its_state_matches_what_it_received(self) -> None:
        if not hasattr(self, "view"):
            return
        view, oracle = self.view, self.oracle
        assert view.fleet == (snapshot_of(oracle.cached) if oracle.confirmed_ms > -NEVER else Snapshot(0))
        assert view.confirmed_s * 1000 == oracle.confirmed_ms + self.began
        assert view.ledger_unreachable == oracle.away
        assert view._leases.after_s * 1000 == oracle.ask_after_ms + self.began
        self._no_epoch_decreases_and_no_open_duration_is_cut_short()
        self._its_restore_point_matches_its_state()

    def _no_epoch_decreases_and_no_open_duration_is_cut_short(self) -> None:
        """Checked again without the oracle: a returned time holds until the ledger's next transition."""
        known = self.view.fleet
        self.replied = max(self.replied, self.oracle.replied.epoch)
        assert known.epoch >= self.replied, "an epoch that the ledger had replied decreased"
        assert known.epoch >= self.highest or known.epoch == self.oracle.replied.epoch, "an epoch decreased unasked"
        is_open = known.state is CircuitState.OPEN and known.override is None
        until_ms = self.oracle.at_ms + self.began + known.left_ms if is_open else 0.0
        self.promised_ms = until_ms if known.epoch != self.highest else min(self.promised_ms, until_ms)
        self.highest = known.epoch

    def _its_restore_point_matches_its_state(self) -> None:
        restored, reading = self.view.restore_point(self.ledger_ms), self.oracle.cached
        known = snapshot_of(reading)
        assert (restored.epoch, restored.state, restored.open_count) == (reading.epoch, known.state, reading.open_count)
        assert (restored.changed_at_ms, restored.reason, restored.opened_by) == (
            known.changed_at_ms, known.reason, known.opened_by,
        )  # fmt: skip
        is_confirmed = self.oracle.pushed_s < 0
        longest_ms = MAX_REST_MS if is_confirmed else self.view.terms.longest_open_ms
        assert restored.left_ms == (0 if reading.override else min(self.oracle.open_for_ms(), longest_ms))
        assert (restored.override.mode if restored.override else "") == self.oracle.mode()
        if restored.override and reading.override_ms is not None:
            left_ms = reading.override_ms - (self.now - self.began - self.oracle.at_ms)
            assert restored.override.until_ms == self.ledger_ms + left_ms

    @invariant()
    def a_call_meets_the_expected_state(self) -> None:
        if not hasattr(self, "view"):
            return
        state, _ = self.oracle.meets()
        assert self.view.state() == state
        assert self.view.is_tripped_locally() == self._is_overlaid()
        assert self.view.has_report or not any(self.oracle.unreported)

    def _is_overlaid(self) -> bool:
        oracle = self.oracle
        fleet = oracle.fleet_reads() == "closed" or (oracle.away and oracle.fleet_reads() == "half_open")
        return not oracle.mode() and fleet and oracle.binds() != "closed"


def _named(answer: Any) -> str:
    if isinstance(answer, Grant):
        return "probe alone" if answer.local else "probe"
    return "refuse" if isinstance(answer, Refused) else "pass"


@pytest.mark.parametrize("start", STARTS)
def test_a_view_behaves_as_specified_for_any_sequence_of_messages(start: str) -> None:
    machine = type(f"From_{start}", (ViewMachine,), {"start": start})
    run_state_machine_as_test(machine, settings=deep(50, stateful_step_count=40))
