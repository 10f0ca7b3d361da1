"""How one replica's session handles the ledger's replies and errors."""

from __future__ import annotations

from typing import Any

import pytest

from ha_rag.circuit.reply import Reply
from ha_rag.errors import LedgerRefusedError, LedgerUnavailableError, ShardUnavailableError
from ha_rag.events import CircuitChanged, Event, LedgerLimited, LedgerLost
from ha_rag.ledger.sync.denied_permissions import PUBLISHING
from ha_rag.ledger.sync.session import REFUSED_S, LedgerSession
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views
from tests.ledger.views import CLOSED, OPEN, OneView


class Line:
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
        return Reply(self.view.said(CLOSED, epoch), **facts)


@pytest.fixture
def line() -> Line:
    return Line()


def test_changes_that_the_ledger_could_not_publish_are_counted_and_reported_once(line: Line) -> None:
    assert line.session.unpublished == 0
    for _ in range(3):
        line.session.on_accepted(line.view, line.reply(unpublished=True))
    assert line.session.unpublished == 3
    assert [(e.what, e.reason) for e in line.events if isinstance(e, LedgerLimited)] == [
        (PUBLISHING, "XADD or PUBLISH")
    ]
    assert list(line.session.denied_permissions.current) == [PUBLISHING]
    line.session.on_accepted(line.view, line.reply(published=True))
    assert list(line.session.denied_permissions.current) == []


def test_a_change_is_published_with_the_circuits_name(line: Line) -> None:
    line.session.on_read(line.view, Reply(line.view.said(CLOSED, 5)))
    line.session.on_read(line.view, Reply(line.view.said(OPEN, 7, left_ms=1000)))
    assert [e.circuit for e in line.events if isinstance(e, CircuitChanged)] == ["svc"]


def test_a_ledger_with_an_older_epoch_is_restored(line: Line) -> None:
    line.session.on_read(line.view, Reply(line.view.said(OPEN, 7, left_ms=1000)))
    line.session.on_read(line.view, Reply(line.view.said(CLOSED, 0)))
    assert line.forgotten == [line.view]


def test_an_unreachable_ledger_is_reported_once_with_the_error(line: Line) -> None:
    line.session.on_accepted(line.view, line.reply())
    for _ in range(4):
        line.session.on_failed(line.view, LedgerUnavailableError("nobody answers"))
    assert [(e.reason, e.circuit) for e in line.events if isinstance(e, LedgerLost)] == [("nobody answers", "")]
    assert line.session.link.reason == "nobody answers"
    assert not line.session.link.up


def test_after_a_refused_verb_the_next_is_sent_one_second_later(line: Line) -> None:
    assert line.session.may_send(line.view)
    line.session.on_failed(line.view, LedgerRefusedError("OOM no memory"))
    assert line.session.is_refused(line.view)
    assert not line.session.may_send(line.view)
    line.view.clock.advance(REFUSED_S)
    assert line.session.may_send(line.view)
    assert not line.session.may_send(line.view)
    line.session.on_accepted(line.view, line.reply())
    assert line.session.may_send(line.view)
    assert not line.session.is_refused(line.view)


def test_a_shard_that_fails_twice_in_a_row_is_unreachable_for_its_circuit_until_it_answers(
    line: Line,
) -> None:
    line.session.on_accepted(line.view, line.reply())
    line.session.on_failed(line.view, ShardUnavailableError("no route"))
    assert (line.view.ledger_unreachable, line.session.may_send(line.view)) == (False, True)
    for _ in range(3):
        line.session.on_failed(line.view, ShardUnavailableError("no route"))
        assert (line.view.ledger_unreachable, line.session.may_send(line.view)) == (True, False)
    assert line.session.link.up
    assert [(e.reason, e.circuit) for e in line.events if isinstance(e, LedgerLost)] == [("no route", "svc")]
    line.session.on_read(line.view, line.reply())
    assert (line.view.ledger_unreachable, line.session.may_send(line.view)) == (False, True)


def test_a_shard_that_fails_now_and_then_stays_reachable(line: Line) -> None:
    for _ in range(3):
        line.session.on_failed(line.view, ShardUnavailableError("too slow"))
        line.session.on_read(line.view, line.reply())
    assert not line.view.ledger_unreachable
    assert not line.events
