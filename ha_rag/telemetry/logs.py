"""The log of one process: a line a fact, for people or as JSON, on standard error.

Whatever is said while a request is worked on carries its id, whoever says it: stages, probes, threads it started.
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
from ha_rag.messages import Outcome

log = logging.getLogger("ha_rag.events")
answers = logging.getLogger("ha_rag.answers")
"""One line a question, apart from what happens to circuits, so that either can be silenced by itself."""
# The answer's own line says so, too.
_TOLD_ELSEWHERE = (TierFellBack,)
_WENT_WELL = (Outcome.OK, Outcome.SLOW)
_WORRYING = (LedgerLimited, LedgerLost, PolicyMismatch, ReplicaNameTaken)


def configure(form: Literal["console", "json"], level: int = logging.INFO) -> None:
    """Sets up the root logger of this process; to be called once, by the process's entry point."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else ConsoleLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


class ConsoleLines(logging.Formatter):
    """`21:04:05.678 WARNING [4bf92f35] circuit embedder.primary: closed -> open (5 of 5 calls failed)`.

    In brackets stands the id of the request that it happened in, if any.

    One line a fact, whatever stands in it: what cannot be printed comes escaped, and a traceback's lines are indented,
    so that nothing that a caller sent reads like a line of the log.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03d %(levelname)-7s %(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """The line, and a traceback's lines below it."""
        record.exc_text = None  # kept from another handler, whose lines are not indented
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name for it
        """The line."""
        name = request_id()
        if name:
            record.message = f"[{name}] {record.message}"
        return _printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name for it
        """A traceback, indented."""
        return "\n".join(f"    {_printable(line)}" for line in super().formatException(ei).split("\n"))


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message; `event` with its facts where there is an event.

    `request` and `trace`: ids of the request that it happened in and of the trace that this belongs to, if any.
    """

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {name: value for name, value in (("request", request_id()), ("trace", trace_id())) if value}
        event = getattr(record, "event", None)
        if isinstance(event, Event):
            told["event"] = {"kind": event.kind, **_facts(event)}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def log_event(event: Event) -> None:
    """A sink that writes what an operator wants to know into the log."""
    if isinstance(event, QuestionAnswered):
        answers.info("%s", _answer_in_words(event), extra={"event": event})
    elif not isinstance(event, _TOLD_ELSEWHERE):
        log.log(_level(event), "%s", in_words(event), extra={"event": event})


def log_unanswered(path: str, status: int, took_s: float) -> None:
    """The line of a question that got no answer, or not all of it. `path`: its endpoint; `status`: 499 if it left."""
    why = "its asker left" if status == 499 else f"refused with {status}"
    answers.info("no answer at %s: %s after %.1f ms", path, why, 1000 * took_s)


def _level(event: Event) -> int:
    opened = isinstance(event, CircuitChanged) and event.to_state == "open"
    return logging.WARNING if opened or isinstance(event, _WORRYING) else logging.INFO


def _facts(event: Event) -> dict[str, Any]:
    """All of an event, but for reasons of attempts: a service's own words may repeat the question."""
    # Not `asdict`, which copies everything below, too: this is done once a question.
    facts = {field.name: getattr(event, field.name) for field in fields(event)}
    if isinstance(event, QuestionAnswered):
        facts["attempts"] = [
            {"circuit": one.circuit, "outcome": one.outcome.value, "state": one.state, "ms": one.ms}
            for one in event.attempts
        ]
    return facts


def in_words(event: Event) -> str:
    """An event as a short sentence."""
    match event:
        case CircuitChanged():
            why = f" ({event.reason})" if event.reason else ""
            by = replica_name(event.by or event.replica)
            return f"circuit {event.circuit}: {event.from_state} -> {event.to_state}{why}, by {by}"
        case OverrideChanged(mode=None):
            return f"circuit {event.circuit}: override ended" + (f", by {event.by}" if event.by else "")
        case OverrideChanged():
            return f"circuit {event.circuit}: {event.mode} by hand ({event.reason}), by {event.by}"
        case LedgerLost():
            if event.circuit:
                return f"Redis refuses circuit {event.circuit}: {event.reason}; going on alone (see ha-rag check)"
            return f"Redis is not heard: {event.reason}; going on alone"
        case LedgerBack():
            return f"Redis is heard again{_of(event.circuit)} after {event.away_s:.1f} s"
        case LedgerLimited():
            return f"Redis refuses {event.what} ({event.reason}); ha-rag check says how to mend it"
        case PolicyMismatch():
            return f"other rules for circuit {event.circuit} at {', '.join(event.others)}: fine while a deploy rolls"
        case ReplicaNameTaken():
            return f"another replica is called {event.replica} too; give each its own HA_RAG_REPLICA"
        case _:
            facts = {name: value for name, value in asdict(event).items() if name not in ("at_ms", "replica") and value}
            return f"{event.kind}: " + ", ".join(f"{name} = {value}" for name, value in facts.items())


def _answer_in_words(event: QuestionAnswered) -> str:
    """`answer 9f2c in 41.7 ms: embedder secondary, ...; degraded: embedder (embedder.primary rejected)`."""
    served = ", ".join(f"{stage} {tier}" for stage, tier in event.served_by.items())
    failed = ", ".join(f"{one.circuit} {one.outcome}" for one in event.attempts if one.outcome not in _WENT_WELL)
    why = f"; degraded: {', '.join(event.degraded_stages)}" if event.degraded_stages else ""
    broken = "; the stream broke off" if event.broken else ""
    return f"answer {event.answer} in {event.ms:.1f} ms: {served}{why}{f' ({failed})' if failed else ''}{broken}"


def _of(circuit: str) -> str:
    return f" of circuit {circuit}" if circuit else ""
