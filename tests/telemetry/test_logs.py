"""The text and JSON logs."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace

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
from ha_rag.messages import Attempt
from ha_rag.outcomes import Outcome
from ha_rag.redaction import Redactor
from ha_rag.telemetry.logs import ConsoleLines, JsonLines, describe, log_event

OPENED = CircuitChanged(
    at_ms=0, replica="rag-2", circuit="embedder.primary", previous_epoch=1, epoch=2, from_state="closed",
    to_state="open", reason="4 of 5 failed", by="rag-1~7ef41c1f", samples=5, failed=4,
)  # fmt: skip


STRIKES = Redactor(["sk-secret-1/2"])


class Lines(logging.Handler):
    """A logger's lines in both forms, formatted immediately as a handler does."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, str]] = []
        self._log = logging.Logger("x")
        self._log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(JsonLines().format(record)) | {"console": ConsoleLines().format(record)})

    def log(self, text: str) -> None:
        self._log.info(text)


async def in_a_new_task(work, *args):
    async def later():
        await asyncio.sleep(0)
        work(*args)

    await asyncio.create_task(later())


@pytest.mark.parametrize(
    ("event", "text"),
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
        (
            OverrideChanged(at_ms=0, circuit="e.p", mode=None, reason="the override expired"),
            "circuit e.p: override ended (the override expired)",
        ),
        (
            replace(OPENED, by="", from_state="open", reason="4 of 5 failed"),
            "circuit embedder.primary: still open (4 of 5 failed)",
        ),
        (
            replace(OPENED, scope="replica", previous_epoch=OPENED.epoch, reason="2 failed"),
            "circuit embedder.primary: closed -> open for this replica alone (2 failed), by rag-1",
        ),
        (
            LedgerLost(at_ms=0, circuit="e.p", reason="the node that holds it does not answer"),
            "Redis cannot be used for circuit e.p: the node that holds it does not answer; deciding it locally",
        ),
        (LedgerBack(at_ms=0, circuit="e.p", away_s=1), "Redis is reachable again for circuit e.p after 1.0 s"),
        (
            WouldOpen(at_ms=0, circuit="e.p", samples=5, reason="3 of 5 failed", by="rag-1~1"),
            "circuit e.p: would have opened (3 of 5 failed), but is in shadow mode, by rag-1",
        ),
    ],
)
def test_an_event_is_described_in_a_sentence(event, text):
    assert describe(event) == text


def test_a_circuit_that_opens_is_a_warning_and_one_that_closes_is_not(caplog):
    with caplog.at_level(logging.INFO):
        log_event(OPENED)
        log_event(
            CircuitChanged(at_ms=0, circuit="e.p", previous_epoch=2, epoch=3, from_state="open", to_state="closed")
        )

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


ANSWERED = QuestionAnswered(
    at_ms=0, answer="a1", ms=41.66, served_by={"embedder": "secondary", "generator": "primary"},
    degraded_stages=("embedder",), shared_state="fresh",
    attempts=(
        Attempt("embedder.primary", Outcome.FAILED, 1.5, "closed", "ServiceError: cannot read 'Who is my doctor?'"),
        Attempt("embedder.secondary", Outcome.OK, 2.0, "closed"),
    ),
)  # fmt: skip


def test_an_answer_is_one_line_with_its_tiers_duration_and_failures(caplog):
    with caplog.at_level(logging.INFO):
        log_event(
            TierFellBack(at_ms=0, answer="a1", stage="embedder", first="primary", served_by="secondary", attempts=())
        )
        log_event(ANSWERED)

    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "ha_rag.answers",
            "INFO",
            "answer a1 in 41.7 ms: embedder secondary, generator primary; degraded: embedder (embedder.primary failed)",
        )
    ]


@pytest.mark.parametrize("form", [ConsoleLines(), JsonLines()])
def test_a_services_error_text_is_not_logged_because_it_may_repeat_the_question(caplog, form):
    with caplog.at_level(logging.INFO):
        log_event(ANSWERED)

    line = form.format(caplog.records[0])

    assert "embedder.primary" in line
    assert "doctor" not in line


def test_a_json_line_of_an_answer_has_its_fields_as_values(caplog):
    with caplog.at_level(logging.INFO):
        log_event(ANSWERED)

    line = json.loads(JsonLines().format(caplog.records[0]))["event"]

    assert (line["served_by"]["embedder"], line["ms"], line["degraded_stages"]) == ("secondary", 41.66, ["embedder"])
    assert line["attempts"][0] == {"circuit": "embedder.primary", "outcome": "failed", "state": "closed", "ms": 1.5}


@pytest.mark.parametrize("begin", [asyncio.to_thread, in_a_new_task])
async def test_background_work_of_a_request_is_logged_with_its_id(begin):
    lines = Lines()
    with carrying({"x-request-id": "abc-1", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}):
        work = asyncio.ensure_future(begin(lines.log, "half done"))
    await work
    lines.log("something else")

    inside, outside = lines.lines
    assert (inside["request"], inside["trace"]) == ("abc-1", "a" * 32)
    assert inside["console"].endswith("[abc-1] half done")
    assert "request" not in outside
    assert outside["console"].endswith("something else")


def test_a_json_line_has_the_events_fields(caplog):
    with caplog.at_level(logging.INFO):
        log_event(OPENED)

    line = json.loads(JsonLines().format(caplog.records[0]))

    assert (line["level"], line["logger"]) == ("warning", "ha_rag.events")
    assert line["event"]["kind"] == "CircuitChanged"
    assert (line["event"]["circuit"], line["event"]["failed"]) == ("embedder.primary", 4)


def test_an_exception_stays_on_its_json_line():
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "failed", (), _exc_info())

    line = JsonLines().format(record)

    assert "\n" not in line
    assert "two" in json.loads(line)["exception"]


@pytest.mark.parametrize("form", [ConsoleLines(), JsonLines()])
@pytest.mark.parametrize(
    "text", ["/v1\n12:00:00.000 INFO    all is well", "\r\x1b[2Jgone", "a\u2028b", "\ud800", "\u202eevil", "%s %d {0}"]
)
def test_text_from_a_client_can_neither_start_a_line_nor_control_a_terminal(form, text):
    line = form.format(logging.getLogger("x").makeRecord("x", logging.INFO, "f", 1, "failed: %s", (text,), None))

    assert line.isprintable()
    assert line.encode()


@pytest.mark.parametrize("form", [ConsoleLines(STRIKES), JsonLines(STRIKES)])
@pytest.mark.parametrize(
    "written", ["sk-secret-1/2", "SK-SECRET-1/2", "sk-secret-1%2F2", "c2stc2VjcmV0LTEvMg==", "sk-secret..."]
)
def test_a_secret_is_struck_out_of_message_event_and_traceback(form, written):
    lost = LedgerLost(at_ms=0, reason=f"wrong password {written}")
    try:
        raise ValueError(written)
    except ValueError:
        info = _exc_info()
    record = logging.getLogger("x").makeRecord("x", 20, "f", 1, "said: %s", (written,), info, extra={"event": lost})

    text = form.format(record)

    assert written[:11] not in text
    assert text.count("***") >= 2
    assert not isinstance(form, JsonLines) or json.loads(text)["event"]["reason"].startswith("wrong password ***")


def test_no_line_of_a_traceback_looks_like_a_log_line():
    try:
        raise ValueError("\n12:00:00.000 INFO    all is well\r\x1b[2J")
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "failed", (), _exc_info())

    first, *more = ConsoleLines().format(record).split("\n")

    assert first.endswith("failed")
    assert all(line.startswith("    ") and line.isprintable() for line in more)


def test_no_line_of_a_stack_looks_like_a_log_line():
    stack = "Stack (most recent call last):\n12:00:00.000 INFO    all is well\x1b[2J"
    record = logging.getLogger("x").makeRecord("x", logging.INFO, "f", 1, "here", (), None, sinfo=stack)

    first, *more = ConsoleLines().format(record).split("\n")

    assert first.endswith("here")
    assert len(more) == 2
    assert all(line.startswith("    ") and line.isprintable() for line in more)


def _exc_info():
    import sys

    return sys.exc_info()
