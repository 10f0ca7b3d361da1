"""The exact events that a replica sends to its sinks, each once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import OperatorOverride, OverrideMode
from ha_rag.clock import ManualClock
from ha_rag.errors import LedgerRefusedError, LedgerUnavailableError
from ha_rag.events import CircuitChanged, Event, LedgerBack, LedgerLimited, LedgerLost, OverrideChanged
from ha_rag.ledger.sync.denied_permissions import CIRCUIT_LIST, HEARTBEAT, DeniedPermissions
from ha_rag.ledger.sync.event_publisher import EventPublisher
from ha_rag.ledger.view.reconcile import Reconciliation
from ha_rag.outcomes import Outcome
from tests.ledger.views import CLOSED, HALF_OPEN, OPEN, OneView

AT_MS = 1_790_000_000_000
BEFORE = Snapshot(AT_MS, CLOSED, 5, changed_at_ms=AT_MS - 9)
AFTER = Snapshot(AT_MS, OPEN, 7, reason="3 of 3 failed", opened_by="b", changed_at_ms=AT_MS - 2)


class PublisherBench:
    """A publisher of replica `r1`, and its events."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.events: list[Event] = []
        self.publisher = EventPublisher("r1", self.clock, [self.events.append])

    @property
    def now_ms(self) -> int:
        return self.clock.unix_ms()


@pytest.fixture
def bench() -> PublisherBench:
    return PublisherBench()


def test_a_fleet_transition_is_published_with_its_time_epochs_and_author(bench: PublisherBench) -> None:
    bench.publisher.circuit_changed("svc", Reconciliation(BEFORE, AFTER))
    opened = CircuitChanged(
        at_ms=AT_MS - 2, replica="r1", circuit="svc", previous_epoch=5, epoch=7, from_state="closed", to_state="open",
        reason="3 of 3 failed", by="b",
    )  # fmt: skip
    assert bench.events == [opened]


def test_an_event_names_the_author_only_for_an_opening(bench: PublisherBench) -> None:
    bench.publisher.circuit_changed("svc", Reconciliation(AFTER, replace(AFTER, state=HALF_OPEN, epoch=8)))
    bench.publisher.circuit_changed(
        "svc", Reconciliation(replace(AFTER, state=HALF_OPEN, epoch=8), replace(AFTER, state=CLOSED, epoch=9))
    )
    assert [(e.from_state, e.to_state, e.by) for e in bench.events if isinstance(e, CircuitChanged)] == [
        ("open", "half_open", ""),
        ("half_open", "closed", ""),
    ]


def test_a_circuit_that_was_read_as_half_open_before_its_first_probe_is_published_as_open_before(
    bench: PublisherBench,
) -> None:
    over = replace(AFTER, state=HALF_OPEN)  # as read when its open duration is over
    bench.publisher.circuit_changed("svc", Reconciliation(over, replace(over, epoch=8)))
    assert [(e.from_state, e.to_state) for e in bench.events if isinstance(e, CircuitChanged)] == [
        ("open", "half_open")
    ]


@pytest.mark.parametrize(
    "received",
    [Reconciliation(), Reconciliation(before=BEFORE), Reconciliation(after=AFTER), Reconciliation(BEFORE, BEFORE)],
)
def test_without_a_change_nothing_is_published(bench: PublisherBench, received: Reconciliation) -> None:
    bench.publisher.circuit_changed("svc", received)
    assert bench.events == []


def test_an_override_and_its_end_are_published(bench: PublisherBench) -> None:
    override = OperatorOverride(OverrideMode.SHADOW, "maintenance", "kim", AT_MS + 100)
    overridden = Snapshot(AT_MS, CLOSED, 7, reason="shadow: maintenance", changed_at_ms=AT_MS - 2, override=override)
    ended = Snapshot(AT_MS, CLOSED, 9, reason="the override expired", changed_at_ms=AT_MS - 1)
    bench.publisher.circuit_changed("svc", Reconciliation(BEFORE, overridden))
    bench.publisher.circuit_changed("svc", Reconciliation(overridden, ended))
    assert bench.events == [
        OverrideChanged(
            at_ms=AT_MS - 2, circuit="svc", mode=OverrideMode.SHADOW, epoch=7, reason="maintenance", by="kim",
            until_ms=AT_MS + 100,
        ),
        OverrideChanged(at_ms=AT_MS - 1, circuit="svc", mode=None, epoch=9, reason="the override expired"),
    ]  # fmt: skip


@pytest.fixture
def tripped(bench: PublisherBench) -> OneView:
    """A view that refuses calls while the fleet's circuit is closed; that is published."""
    view = OneView()
    view.receives(CLOSED, 5)
    view.fails(4)
    view.clock.advance(0.2)
    for _ in range(3):
        bench.publisher.local_trip_changed(view)
    return view


def local_changes(bench: PublisherBench, view: OneView) -> list[tuple[str, str, str]]:
    """The changes published from now on, whose scope is this replica."""
    published = len(bench.events)
    for _ in range(3):
        bench.publisher.local_trip_changed(view)
    changes = [event for event in bench.events[published:] if isinstance(event, CircuitChanged)]
    assert all(change.scope == "replica" for change in changes)
    return [(change.from_state, change.to_state, change.reason) for change in changes]


def test_a_local_trip_is_published_once(bench: PublisherBench, tripped: OneView) -> None:
    opened = CircuitChanged(
        at_ms=bench.now_ms, replica="r1", circuit="svc", scope="replica", previous_epoch=5, epoch=5,
        from_state="closed", to_state="open", reason="4 of 4 failed, 0 slow", by="r1",
    )  # fmt: skip
    assert bench.events == [opened]


def test_a_local_trip_that_ends_because_the_fleets_circuit_is_open_is_published_as_no_closing(
    bench: PublisherBench, tripped: OneView
) -> None:
    tripped.receives(OPEN, 7, left_ms=1000)
    assert local_changes(bench, tripped) == []


def test_a_local_trip_that_ends_in_a_half_open_circuit_of_the_fleet_is_published_as_half_open(
    bench: PublisherBench, tripped: OneView
) -> None:
    tripped.receives(HALF_OPEN, 8)
    assert local_changes(bench, tripped) == [("open", "half_open", "the fleet's state applies again")]


def test_a_local_trip_that_its_own_probes_end_is_published_as_a_closing(
    bench: PublisherBench, tripped: OneView
) -> None:
    tripped.clock.advance(60)
    tripped.settle_locally(tripped.probes(), Outcome.OK)
    assert local_changes(bench, tripped) == [("open", "closed", "1 good probes")]


def test_taking_over_a_half_open_circuit_because_the_ledger_is_unreachable_is_no_change_and_neither_is_its_end(
    bench: PublisherBench,
) -> None:
    view = OneView()
    view.receives(HALF_OPEN, 5)
    view.set_ledger_unreachable(True)
    assert local_changes(bench, view) == []
    assert view.is_tripped_locally()
    view.set_ledger_unreachable(False)
    assert local_changes(bench, view) == []


def test_a_failed_local_probe_while_the_ledger_is_unreachable_closes_nothing_when_it_is_back(
    bench: PublisherBench,
) -> None:
    view = OneView()
    view.receives(HALF_OPEN, 5)
    view.set_ledger_unreachable(True)
    local_changes(bench, view)
    view.settle_locally(view.probes(), Outcome.FAILED)
    view.set_ledger_unreachable(False)
    view.receives(OPEN, 7, left_ms=1000)
    assert local_changes(bench, view) == []


def test_an_unreachable_ledger_its_return_and_its_denied_permissions_are_published(bench: PublisherBench) -> None:
    bench.publisher.ledger_lost("nobody answers")
    bench.publisher.ledger_lost("READONLY", circuit="svc")
    bench.clock.advance(2)
    bench.publisher.ledger_back(1.5)
    bench.publisher.ledger_limited("heartbeats", "NOPERM")
    then_ms = bench.now_ms - 2000
    assert bench.events == [
        LedgerLost(at_ms=then_ms, replica="r1", reason="nobody answers"),
        LedgerLost(at_ms=then_ms, replica="r1", reason="READONLY", circuit="svc"),
        LedgerBack(at_ms=bench.now_ms, replica="r1", away_s=1.5),
        LedgerLimited(at_ms=bench.now_ms, replica="r1", what="heartbeats", reason="NOPERM"),
    ]


def test_a_denied_permission_is_published_once_while_it_is_denied() -> None:
    received: list[tuple[str, str]] = []
    denied = DeniedPermissions(lambda what, why: received.append((what, why)))
    for _ in range(2):
        with pytest.raises(LedgerRefusedError), denied.checked(HEARTBEAT):
            raise LedgerRefusedError("NOPERM no set")
    denied.denied(CIRCUIT_LIST, "NOPERM no zadd")
    assert list(denied.current) == [HEARTBEAT, CIRCUIT_LIST]
    with denied.checked(HEARTBEAT):
        pass
    assert list(denied.current) == [CIRCUIT_LIST]
    denied.denied(HEARTBEAT, "NOPERM again")
    assert received == [(HEARTBEAT, "NOPERM no set"), (CIRCUIT_LIST, "NOPERM no zadd"), (HEARTBEAT, "NOPERM again")]


@pytest.mark.parametrize("error", [LedgerRefusedError("OOM no memory"), LedgerUnavailableError("nothing heard")])
def test_only_a_missing_permission_counts_as_denied(error: LedgerRefusedError | LedgerUnavailableError) -> None:
    denied = DeniedPermissions(lambda what, why: pytest.fail(f"{what}: {why}"))
    with pytest.raises(type(error)), denied.checked(HEARTBEAT):
        raise error
    assert list(denied.current) == []
