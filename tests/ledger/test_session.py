"""How one replica's session handles the ledger's replies and errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.state import OverrideMode
from ha_rag.errors import LedgerRefusedError, LedgerUnavailableError, ShardUnavailableError
from ha_rag.events import CircuitChanged, Event, LedgerBack, LedgerLimited, LedgerLost, OverrideChanged
from ha_rag.ledger.sync.denied_permissions import PUBLISHING
from ha_rag.ledger.sync.session import REFUSED_S, LedgerSession
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views
from tests.ledger.views import CLOSED, OPEN, OneView


class SessionBench:
    """A session of replica `r1`, with one view. `events`: published; `forgotten`: views to be restored."""

    def __init__(self) -> None:
        self.view = OneView()
        self.events: list[Event] = []
        self.forgotten: list[View] = []
        views = Views()
        views.add(self.view)
        ledger: Any = None
        self.session = LedgerSession(
            ledger, "r1", self.view.clock, views=views, sinks=[self.events.append], restore=self.forgotten.append
        )

    def reply(self, epoch: int = 0, **facts: bool) -> Reply:
        return Reply(self.view.snapshot(CLOSED, epoch), **facts)


@pytest.fixture
def bench() -> SessionBench:
    return SessionBench()


def test_changes_that_the_ledger_could_not_publish_are_counted_and_reported_once(bench: SessionBench) -> None:
    assert bench.session.unpublished == 0
    for _ in range(3):
        bench.session.on_accepted(bench.view, bench.reply(unpublished=True))
    assert bench.session.unpublished == 3
    assert [(e.what, e.reason) for e in bench.events if isinstance(e, LedgerLimited)] == [
        (PUBLISHING, "XADD or PUBLISH")
    ]
    assert list(bench.session.denied_permissions.current) == [PUBLISHING]
    bench.session.on_accepted(bench.view, bench.reply(published=True))
    assert list(bench.session.denied_permissions.current) == []


def test_a_change_is_published_with_the_circuits_name(bench: SessionBench) -> None:
    bench.session.on_read(bench.view, Reply(bench.view.snapshot(CLOSED, 5)))
    bench.session.on_read(bench.view, Reply(bench.view.snapshot(OPEN, 7, left_ms=1000)))
    assert [e.circuit for e in bench.events if isinstance(e, CircuitChanged)] == ["svc"]


def test_a_ledger_with_an_older_epoch_is_restored(bench: SessionBench) -> None:
    bench.session.on_read(bench.view, Reply(bench.view.snapshot(OPEN, 7, left_ms=1000)))
    bench.session.on_read(bench.view, Reply(bench.view.snapshot(CLOSED, 0)))
    assert bench.forgotten == [bench.view]


def test_an_unreachable_ledger_is_reported_once_with_the_error(bench: SessionBench) -> None:
    bench.session.on_accepted(bench.view, bench.reply())
    for _ in range(4):
        bench.session.on_failed(bench.view, LedgerUnavailableError("nobody answers"))
    assert [(e.reason, e.circuit) for e in bench.events if isinstance(e, LedgerLost)] == [("nobody answers", "")]
    assert bench.session.link.reason == "nobody answers"
    assert not bench.session.link.up


def test_after_a_refused_verb_the_next_is_sent_one_second_later(bench: SessionBench) -> None:
    assert bench.session.may_send(bench.view)
    bench.session.on_failed(bench.view, LedgerRefusedError("OOM no memory"))
    assert bench.session.is_refused(bench.view)
    assert not bench.session.may_send(bench.view)
    bench.view.clock.advance(REFUSED_S)
    assert bench.session.may_send(bench.view)
    assert not bench.session.may_send(bench.view)
    bench.session.on_accepted(bench.view, bench.reply())
    assert bench.session.may_send(bench.view)
    assert not bench.session.is_refused(bench.view)


def test_a_shard_that_fails_twice_in_a_row_is_unreachable_for_its_circuit_until_it_answers(
    bench: SessionBench,
) -> None:
    bench.session.on_accepted(bench.view, bench.reply())
    bench.session.on_failed(bench.view, ShardUnavailableError("no route"))
    assert (bench.view.ledger_unreachable, bench.session.may_send(bench.view)) == (False, True)
    for _ in range(3):
        bench.session.on_failed(bench.view, ShardUnavailableError("no route"))
        assert (bench.view.ledger_unreachable, bench.session.may_send(bench.view)) == (True, False)
    assert bench.session.link.up
    assert [(e.reason, e.circuit) for e in bench.events if isinstance(e, LedgerLost)] == [("no route", "svc")]
    bench.session.on_read(bench.view, bench.reply())
    assert (bench.view.ledger_unreachable, bench.session.may_send(bench.view)) == (False, True)


def test_a_circuit_whose_verbs_are_accepted_again_is_told_once(bench: SessionBench) -> None:
    for _ in range(2):
        bench.session.on_failed(bench.view, LedgerRefusedError("NOPERM no"))
        bench.view.clock.advance(1.5)
    bench.session.on_read(bench.view, bench.reply())
    assert [e for e in bench.events if isinstance(e, LedgerBack)] == []
    for _ in range(2):
        bench.session.on_accepted(bench.view, bench.reply())
    assert [(e.circuit, e.away_s) for e in bench.events if isinstance(e, LedgerBack)] == [("svc", 3.0)]


def test_an_override_that_expired_between_two_reads_ends_in_an_event(bench: SessionBench) -> None:
    """The reads in between are of the same epoch, and do not have it any more."""
    override = bench.view.make_override(OverrideMode.CLOSED, 1000)
    bench.session.on_read(bench.view, Reply(bench.view.snapshot(CLOSED, 5, override=override)))
    bench.view.clock.advance(1.5)
    bench.session.on_read(bench.view, Reply(bench.view.snapshot(CLOSED, 5)))
    bench.session.on_read(bench.view, Reply(bench.view.snapshot(CLOSED, 7)))
    assert [e.mode for e in bench.events if isinstance(e, OverrideChanged)] == ["closed", None]


def test_an_override_that_was_restored_is_no_news(bench: SessionBench) -> None:
    override = bench.view.make_override(OverrideMode.OPEN, 9000)
    for epoch, moved_ms in ((5, 0), (7, 30)):
        moved = replace(override, until_ms=(override.until_ms or 0) + moved_ms)
        bench.session.on_read(bench.view, Reply(bench.view.snapshot(OPEN, epoch, override=moved, left_ms=9000)))
    assert [e.mode for e in bench.events if isinstance(e, OverrideChanged)] == ["open"]
    assert len([e for e in bench.events if isinstance(e, CircuitChanged)]) == 1


def test_a_shard_that_fails_now_and_then_stays_reachable(bench: SessionBench) -> None:
    for _ in range(3):
        bench.session.on_failed(bench.view, ShardUnavailableError("too slow"))
        bench.session.on_read(bench.view, bench.reply())
    assert not bench.view.ledger_unreachable
    assert not bench.events
