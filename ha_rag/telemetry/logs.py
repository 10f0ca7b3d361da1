"""The log of one process: one line per event, as text or as JSON, on standard error.

Every line logged while a request is handled carries its id, including lines from probes and threads it started.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, Literal

from ha_rag.breaker.report import replica_name
from ha_rag.components.carried import request_id, trace_id
from ha_rag.events import (
    CircuitChanged,
    Event,
    LedgerBack,
    LedgerLimited,
    LedgerLost,
    OverrideChanged,
    PolicyMismatch,
    QuestionAnswered,
    ReplicaNameTaken,
    TierFellBack,
)
from ha_rag.outcomes import Outcome

log = logging.getLogger("ha_rag.events")
answers = logging.getLogger("ha_rag.answers")
"""One line per question. Separate from the events of circuits, so that either can be disabled alone."""
# The answer's line contains the same information.
_NOT_LOGGED = (TierFellBack,)
_SUCCEEDED = (Outcome.OK, Outcome.SLOW)
_WARNINGS = (LedgerLimited, LedgerLost, PolicyMismatch, ReplicaNameTaken)


def configure(form: Literal["console", "json"], level: int = logging.INFO) -> None:
    """Sets up the root logger. Call it once, from the process's entry point."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else ConsoleLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


class ConsoleLines(logging.Formatter):
    """`21:04:05.678 WARNING [4bf92f35] circuit embedder.primary: closed -> open (5 of 5 calls failed)`.

    The id in brackets is the request's, if there is one.

    Non-printable characters are escaped and the lines of a traceback are indented, so that text sent by a client
    cannot imitate a log line.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03d %(levelname)-7s %(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """The line, followed by the traceback, if any."""
        record.exc_text = None  # may be cached by another handler, without the indentation
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - overrides logging.Formatter
        """The line, with the request's id."""
        name = request_id()
        if name:
            record.message = f"[{name}] {record.message}"
        return _printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - overrides logging.Formatter
        """A traceback, indented."""
        return "\n".join(f"    {_printable(line)}" for line in super().formatException(ei).split("\n"))


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


class JsonLines(logging.Formatter):
    """One JSON object per line: time, level, logger, message, and `event` with its fields if there is one.

    `request` and `trace`: ids of the request and of the trace, if any.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in (("request", request_id()), ("trace", trace_id())) if value}
        event = getattr(record, "event", None)
        if isinstance(event, Event):
            line["event"] = {"kind": event.kind, **_fields(event)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_event(event: Event) -> None:
    """A sink that logs events."""
    if isinstance(event, QuestionAnswered):
        answers.info("%s", _describe_answer(event), extra={"event": event})
    elif not isinstance(event, _NOT_LOGGED):
        log.log(_level(event), "%s", describe(event), extra={"event": event})


def log_failed_question(path: str, status: int, took_s: float) -> None:
    """Logs a question that was not answered in full. `path`: its endpoint; `status`: 499 if the client disconnected."""
    why = "the client disconnected" if status == 499 else f"refused with {status}"
    answers.info("no answer at %s: %s after %.1f ms", path, why, 1000 * took_s)


def _level(event: Event) -> int:
    opened = isinstance(event, CircuitChanged) and event.to_state == "open"
    return logging.WARNING if opened or isinstance(event, _WARNINGS) else logging.INFO


def _fields(event: Event) -> dict[str, Any]:
    """An event's fields, without the reasons of attempts: a service's error text may repeat the question."""
    # Not `asdict`, which makes a deep copy: this runs for every question.
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    if isinstance(event, QuestionAnswered):
        values["attempts"] = [
            {"circuit": one.circuit, "outcome": one.outcome.value, "state": one.state, "ms": one.ms}
            for one in event.attempts
        ]
    return values


def describe(event: Event) -> str:
    """An event as a short sentence."""
    match event:
        case CircuitChanged():
            why = f" ({event.reason})" if event.reason else ""
            by = replica_name(event.by or event.replica)
            return f"circuit {event.circuit}: {event.from_state} -> {event.to_state}{why}, by {by}"
        case OverrideChanged(mode=None):
            return f"circuit {event.circuit}: override ended" + (f", by {event.by}" if event.by else "")
        case OverrideChanged():
            return f"circuit {event.circuit}: override {event.mode} ({event.reason}), by {event.by}"
        case LedgerLost():
            if event.circuit:
                return f"Redis refuses circuit {event.circuit}: {event.reason}; deciding locally (see ha-rag check)"
            return f"Redis is unreachable: {event.reason}; deciding locally"
        case LedgerBack():
            return f"Redis is reachable again{_for(event.circuit)} after {event.away_s:.1f} s"
        case LedgerLimited():
            return f"Redis refuses {event.what} ({event.reason}); run `ha-rag check` to see how to fix it"
        case PolicyMismatch():
            others = ", ".join(event.others)
            return f"circuit {event.circuit} has a different policy at {others}: expected only during a rolling deploy"
        case ReplicaNameTaken():
            return f"another replica is also named {event.replica}; give each replica its own HA_RAG_REPLICA"
        case _:
            shown = {name: value for name, value in asdict(event).items() if name not in ("at_ms", "replica") and value}
            return f"{event.kind}: " + ", ".join(f"{name} = {value}" for name, value in shown.items())


def _describe_answer(event: QuestionAnswered) -> str:
    """`answer 9f2c in 41.7 ms: embedder secondary, ...; degraded: embedder (embedder.primary rejected)`."""
    served = ", ".join(f"{stage} {tier}" for stage, tier in event.served_by.items())
    failed = ", ".join(f"{one.circuit} {one.outcome}" for one in event.attempts if one.outcome not in _SUCCEEDED)
    why = f"; degraded: {', '.join(event.degraded_stages)}" if event.degraded_stages else ""
    broken = "; the stream broke off" if event.broken else ""
    return f"answer {event.answer} in {event.ms:.1f} ms: {served}{why}{f' ({failed})' if failed else ''}{broken}"


def _for(circuit: str) -> str:
    return f" for circuit {circuit}" if circuit else ""
