"""The log of one process: a line a fact, for people or as JSON, on standard error."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from ha_rag.breaker.report import replica_name
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

log = logging.getLogger("ha_rag.events")
# One line a question would drown the few that matter; answers, metrics and dashboards tell of these.
_TOLD_ELSEWHERE = (QuestionAnswered, TierFellBack)
_WORRYING = (LedgerLimited, LedgerLost, PolicyMismatch, ReplicaNameTaken)


def configure(form: Literal["console", "json"], level: int = logging.INFO) -> None:
    """Sets up the root logger of this process; to be called once, by the process's entry point."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else ConsoleLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


class ConsoleLines(logging.Formatter):
    """`21:04:05.678 WARNING circuit embedder.primary: closed -> open (5 of 5 calls failed)`.

    One line a fact, whatever stands in it: what cannot be printed comes escaped, and a traceback's lines are indented,
    so that nothing that a caller sent reads like a line of the log.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03d %(levelname)-7s %(message)s", datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name for it
        """The line."""
        return _printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name for it
        """A traceback, indented."""
        return "\n".join(f"    {_printable(line)}" for line in super().formatException(ei).split("\n"))


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the event's facts where there is an event."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        event = getattr(record, "event", None)
        if isinstance(event, Event):
            told["event"] = {"kind": event.kind, **asdict(event)}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def log_event(event: Event) -> None:
    """A sink that writes what an operator wants to know into the log."""
    if not isinstance(event, _TOLD_ELSEWHERE):
        log.log(_level(event), "%s", in_words(event), extra={"event": event})


def _level(event: Event) -> int:
    opened = isinstance(event, CircuitChanged) and event.to_state == "open"
    return logging.WARNING if opened or isinstance(event, _WORRYING) else logging.INFO


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


def _of(circuit: str) -> str:
    return f" of circuit {circuit}" if circuit else ""
