"""The counts that opened a circuit stay visible while it is not closed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.breaker.report import OverrideReport
from ha_rag.monitor.openings import openings, shown_rates
from ha_rag.monitor.snapshot import Opening, TimelineEvent
from tests.monitor.pictures import circuit
from tests.monitor.reports import CLOSED, HALF_OPEN, OPEN, report

OPENED = TimelineEvent(
    id="1-0@payments", at=5.0, kind="circuit", circuit="payments", before="closed", after="open",
    reason="12 of 12 failed, 0 slow", by="rag-2", samples=12, failed=12,
)  # fmt: skip
PROBE = replace(OPENED, at=7.0, before="open", after="half_open", reason="the recovery timeout is over", samples=0)
FAILED = replace(PROBE, at=8.0, before="half_open", after="open", reason="a probe ended failed")
EXPECTED = Opening(at=5.0, reason="12 of 12 failed, 0 slow", by="rag-2", samples=12, failed=12)


@pytest.mark.parametrize(("state", "later"), [(OPEN, ()), (HALF_OPEN, (PROBE,)), (OPEN, (FAILED, PROBE))])
def test_they_stay_through_every_failed_probe(state, later) -> None:
    again = report(state, reason="a probe ended failed")
    assert openings({}, [again], (*later, OPENED), 9.0) == {"payments": EXPECTED}


def test_they_stay_when_the_timeline_has_forgotten_them() -> None:
    assert openings({"payments": EXPECTED}, [report(OPEN)], (FAILED, PROBE), 900.0) == {"payments": EXPECTED}


def test_they_end_when_the_circuit_closes() -> None:
    assert openings({"payments": EXPECTED}, [report(CLOSED)], (OPENED,), 9.0) == {}


@pytest.mark.parametrize(
    ("reason", "counts"),
    [
        ("4 of 5 failed, 1 slow", (5, 4, 1)),
        ("7 of 7 calls failed within 1.2 s", (7, 7, 0)),
        ("6 of 8 calls were slow within 2.0 s", (8, 0, 6)),
        ("the service asked for a rest", (0, 0, 0)),
        ("9 of 3 failed, 5 slow", (3, 3, 3)),
    ],
)
def test_without_an_event_they_are_read_from_the_reason(reason, counts) -> None:
    (found,) = openings({}, [report(OPEN, reason=reason, changed_at=4.0, opened_by="rag-1")], (), 9.0).values()
    assert (found.samples, found.failed, found.slow) == counts
    assert (found.at, found.by) == (4.0, "rag-1")


def test_what_an_operator_opened_has_none() -> None:
    order = OverrideReport(mode="open", reason="why", by="kim", left_s=None)
    assert openings({}, [report(OPEN, override=order)], (OPENED,), 9.0) == {}


def test_an_open_circuit_shows_them_until_its_window_has_calls() -> None:
    shown = circuit(state="open", opened=EXPECTED)
    assert shown_rates(shown) == (1.0, 0.0, 12)
    assert shown_rates(replace(shown, samples=4, failure_rate=0.5)) == (0.5, 0.0, 4)
    assert shown_rates(replace(shown, state="closed")) == (0.0, 0.0, 0)
