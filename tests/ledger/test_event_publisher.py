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


def test_a_local_trip_is_published_once_and_so_is_its_end(bench: PublisherBench) -> None:
    view = OneView()
    view.receives(CLOSED, 5)
    view.fails(4)
    view.clock.advance(0.2)
    for _ in range(3):
        bench.publisher.local_trip_changed(view)
    opened = CircuitChanged(
        at_ms=bench.now_ms, replica="r1", circuit="svc", scope="replica", previous_epoch=5, epoch=5,
        from_state="closed", to_state="open", reason="4 of 4 failed, 0 slow", by="r1",
    )  # fmt: skip
    assert bench.events == [opened]
    view.receives(OPEN, 7, left_ms=1000)
    for _ in range(3):
        bench.publisher.local_trip_changed(view)
    ended = bench.events[1:]
    assert [(e.from_state, e.to_state, e.scope) for e in ended if isinstance(e, CircuitChanged)] == [
        ("open", "closed", "replica")
    ]


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
