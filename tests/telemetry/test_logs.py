"""What stands in the log."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from ha_rag.components.carried import carrying
from ha_rag.events import (
    CircuitChanged,
    LedgerBack,
    LedgerLost,
    OverrideChanged,
    PolicyMismatch,
    QuestionAnswered,
    ReplicaNameTaken,
    TierFellBack,
    WouldOpen,
)
from ha_rag.messages import Attempt, Outcome
from ha_rag.telemetry.logs import ConsoleLines, JsonLines, describe, log_event

OPENED = CircuitChanged(
    at_ms=0, replica="rag-2", circuit="embedder.primary", previous_epoch=1, epoch=2, from_state="closed",
    to_state="open", reason="4 of 5 failed", by="rag-1~7ef41c1f", samples=5, failed=4,
)  # fmt: skip


class Lines(logging.Handler):
    """What a logger says, in both forms, put into words at once as a handler does."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[dict[str, str]] = []
        self._log = logging.Logger("x")
        self._log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(json.loads(JsonLines().format(record)) | {"console": ConsoleLines().format(record)})

    def say(self, what: str) -> None:
        self._log.info(what)


async def in_a_task_of_its_own(work, *args):
    async def later():
        await asyncio.sleep(0)
        work(*args)

    await asyncio.create_task(later())


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (OPENED, "circuit embedder.primary: closed -> open (4 of 5 failed), by rag-1"),
        (
            OverrideChanged(at_ms=0, circuit="e.p", mode="open", reason="deploy", by="ann"),
            "circuit e.p: override open (deploy), by ann",
        ),
        (OverrideChanged(at_ms=0, circuit="e.p", mode=None, by="ann"), "circuit e.p: override ended, by ann"),
        (OverrideChanged(at_ms=0, circuit="e.p", mode=None), "circuit e.p: override ended"),
        (
            LedgerLost(at_ms=0, reason="connection refused"),
            "Redis is unreachable: connection refused; deciding locally",
        ),
        (LedgerBack(at_ms=0, away_s=2.345), "Redis is reachable again after 2.3 s"),
        (
            PolicyMismatch(at_ms=0, circuit="e.p", others=("rag-2",)),
            "circuit e.p has a different policy at rag-2: expected only during a rolling deploy",
        ),
        (
            ReplicaNameTaken(at_ms=0, replica="rag-1", others=("rag-1~2",)),
            "another replica is also named rag-1; give each replica its own HA_RAG_REPLICA",
        ),
        (WouldOpen(at_ms=0, circuit="e.p", samples=5), "WouldOpen: circuit = e.p, samples = 5"),
    ],
)
def test_an_event_is_a_sentence(event, words):
    assert describe(event) == words


def test_a_circuit_that_opens_is_a_warning_and_one_that_closes_is_not(caplog):
    with caplog.at_level(logging.INFO):
        log_event(OPENED)
        log_event(
            CircuitChanged(at_ms=0, circuit="e.p", previous_epoch=2, epoch=3, from_state="open", to_state="closed")
        )

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


SECRETIVE = QuestionAnswered(
    at_ms=0, answer="a1", ms=41.66, served_by={"embedder": "secondary", "generator": "primary"},
    degraded_stages=("embedder",), shared_state="fresh",
    attempts=(
        Attempt("embedder.primary", Outcome.FAILED, 1.5, "closed", "ServiceError: cannot read 'Who is my doctor?'"),
        Attempt("embedder.secondary", Outcome.OK, 2.0, "closed"),
    ),
)  # fmt: skip


def test_an_answer_is_one_line_with_who_served_it_how_long_it_took_and_what_failed_on_the_way(caplog):
    with caplog.at_level(logging.INFO):
        log_event(
            TierFellBack(at_ms=0, answer="a1", stage="embedder", first="primary", served_by="secondary", attempts=())
        )
        log_event(SECRETIVE)

    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "ha_rag.answers",
            "INFO",
            "answer a1 in 41.7 ms: embedder secondary, generator primary; degraded: embedder (embedder.primary failed)",
        )
    ]


@pytest.mark.parametrize("form", [ConsoleLines(), JsonLines()])
def test_no_words_of_a_service_come_with_it_since_they_may_repeat_the_question(caplog, form):
    with caplog.at_level(logging.INFO):
        log_event(SECRETIVE)

    line = form.format(caplog.records[0])

    assert "embedder.primary" in line
    assert "doctor" not in line


def test_a_json_line_of_an_answer_has_its_facts_as_values(caplog):
    with caplog.at_level(logging.INFO):
        log_event(SECRETIVE)

    told = json.loads(JsonLines().format(caplog.records[0]))["event"]

    assert (told["served_by"]["embedder"], told["ms"], told["degraded_stages"]) == ("secondary", 41.66, ["embedder"])
    assert told["attempts"][0] == {"circuit": "embedder.primary", "outcome": "failed", "state": "closed", "ms": 1.5}


@pytest.mark.parametrize("begin", [asyncio.to_thread, in_a_task_of_its_own])
async def test_whatever_a_request_sets_off_is_logged_under_its_id(begin):
    lines = Lines()
    with carrying({"x-request-id": "abc-1", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}):
        work = asyncio.ensure_future(begin(lines.say, "half done"))
    await work
    lines.say("something else")

    inside, outside = lines.told
    assert (inside["request"], inside["trace"]) == ("abc-1", "a" * 32)
    assert inside["console"].endswith("[abc-1] half done")
    assert "request" not in outside
    assert outside["console"].endswith("something else")


def test_a_json_line_carries_the_event_s_facts(caplog):
    with caplog.at_level(logging.INFO):
        log_event(OPENED)

    told = json.loads(JsonLines().format(caplog.records[0]))

    assert (told["level"], told["logger"]) == ("warning", "ha_rag.events")
    assert told["event"]["kind"] == "CircuitChanged"
    assert (told["event"]["circuit"], told["event"]["failed"]) == ("embedder.primary", 4)


def test_an_exception_in_a_json_line_stays_on_that_line():
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "failed", (), _exc_info())

    line = JsonLines().format(record)

    assert "\n" not in line
    assert "two" in json.loads(line)["exception"]


@pytest.mark.parametrize("form", [ConsoleLines(), JsonLines()])
@pytest.mark.parametrize(
    "said", ["/v1\n12:00:00.000 INFO    all is well", "\r\x1b[2Jgone", "a\u2028b", "\ud800", "\u202eevil", "%s %d {0}"]
)
def test_what_a_caller_sent_is_no_line_of_its_own_and_no_order_to_a_terminal(form, said):
    line = form.format(logging.getLogger("x").makeRecord("x", logging.INFO, "f", 1, "failed: %s", (said,), None))

    assert line.isprintable()
    assert line.encode()


def test_no_line_of_a_traceback_reads_like_a_line_of_the_log():
    try:
        raise ValueError("\n12:00:00.000 INFO    all is well\r\x1b[2J")
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "failed", (), _exc_info())

    first, *more = ConsoleLines().format(record).split("\n")

    assert first.endswith("failed")
    assert all(line.startswith("    ") and line.isprintable() for line in more)


def _exc_info():
    import sys

    return sys.exc_info()
