"""The log of one process: one line per event, as text or as JSON, on standard error.

Every line logged while a request is handled carries its id, including lines from probes and threads it started.
"""

from __future__ import annotations

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
    WouldOpen,
)
from ha_rag.harmless import harmless, harmless_json
from ha_rag.outcomes import Outcome
from ha_rag.redaction import NOTHING_KNOWN, Redactor

log = logging.getLogger("ha_rag.events")
answers = logging.getLogger("ha_rag.answers")
"""One line per question. Separate from the events of circuits, so that either can be disabled alone."""
# The answer's line contains the same information.
_NOT_LOGGED = (TierFellBack,)
_SUCCEEDED = (Outcome.OK, Outcome.SLOW)
_WARNINGS = (LedgerLimited, LedgerLost, PolicyMismatch, ReplicaNameTaken)


def configure(
    form: Literal["console", "json"], level: int = logging.INFO, *, redactor: Redactor = NOTHING_KNOWN
) -> None:
    """Sets up the root logger. Call it once, from the process's entry point. `redactor`: knows its secrets."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(redactor) if form == "json" else ConsoleLines(redactor))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it logs every malformed body


class ConsoleLines(logging.Formatter):
    """`21:04:05.678 WARNING [4bf92f35] circuit embedder.primary: closed -> open (5 of 5 calls failed)`.

    The id in brackets is the request's, if there is one.

    Text is made harmless and the lines of a traceback are indented, so that text sent by a client
    cannot imitate a log line.
    """

    def __init__(self, redactor: Redactor = NOTHING_KNOWN) -> None:
        super().__init__("%(asctime)s.%(msecs)03d %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the request's id, followed by the traceback and the stack, if any."""
        name = request_id()
        record.message = f"[{name}] {record.getMessage()}" if name else record.getMessage()
        record.asctime = self.formatTime(record, self.datefmt)
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        below = [line for text in (trace, record.stack_info or "") if text for line in text.split("\n")]
        line = "\n".join([harmless(self.formatMessage(record)), *(f"    {harmless(each)}" for each in below)])
        return line if _is_ours(record) else self._redactor.redacted(line)


class JsonLines(logging.Formatter):
    """One JSON object per line: time, level, logger, message, and `event` with its fields if there is one.

    `request` and `trace`: ids of the request and of the trace, if any.
    """

    def __init__(self, redactor: Redactor = NOTHING_KNOWN) -> None:
        super().__init__()
        self._redactor = redactor

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
        return harmless_json(line if _is_ours(record) else _redacted(line, self._redactor))


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether all of its text is our own, as in the line of each answer: no secret can be in it."""
    return isinstance(getattr(record, "event", None), QuestionAnswered) and not record.exc_info


def _redacted(value: object, redactor: Redactor) -> object:
    """`value`, as JSON will hold it, with the secrets struck out of every text."""
    if isinstance(value, str):
        return redactor.redacted(value)
    if isinstance(value, dict):
        return {key: _redacted(inner, redactor) for key, inner in value.items()}
    return [_redacted(inner, redactor) for inner in value] if isinstance(value, list | tuple) else value


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
        arm = event.experiment
        values["experiment"] = arm and {"name": arm.experiment, "arm": arm.arm, "as_assigned": arm.as_assigned}
    return values


def describe(event: Event) -> str:
    """An event as a short sentence."""
    match event:
        case CircuitChanged() | WouldOpen() | OverrideChanged():
            return f"circuit {event.circuit}: {_change(event)}" + (f", by {replica_name(event.by)}" if event.by else "")
        case LedgerLost():
            if event.circuit:
                return f"Redis cannot be used for circuit {event.circuit}: {event.reason}; deciding it locally"
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


def _change(event: CircuitChanged | WouldOpen | OverrideChanged) -> str:
    """What happened to a circuit, and why."""
    why = f" ({event.reason})" if event.reason else ""
    match event:
        case WouldOpen():
            return f"would have opened{why}, but is in shadow mode"
        case OverrideChanged():
            return f"override {event.mode or 'ended'}{why}"
        case CircuitChanged():
            # What this replica decides for itself is no epoch of the fleet's circuit.
            is_overlay = event.scope == "replica" and event.epoch == event.previous_epoch
            where = " for this replica alone" if is_overlay else ""
            before, after = event.from_state, event.to_state
            return f"{f'{before} -> {after}' if before != after else f'still {after}'}{where}{why}"


def _describe_answer(event: QuestionAnswered) -> str:
    """`answer 9f2c in 41.7 ms: embedder secondary, ...; degraded: embedder (embedder.primary rejected)`."""
    served = ", ".join(f"{stage} {tier}" for stage, tier in event.served_by.items())
    failed = ", ".join(f"{one.circuit} {one.outcome}" for one in event.attempts if one.outcome not in _SUCCEEDED)
    why = f"; degraded: {', '.join(event.degraded_stages)}" if event.degraded_stages else ""
    broken = "; the stream broke off" if event.broken else ""
    arm = f"; {event.experiment.experiment}: arm {event.experiment.arm}" if event.experiment else ""
    return f"answer {event.answer} in {event.ms:.1f} ms: {served}{why}{f' ({failed})' if failed else ''}{broken}{arm}"


def _for(circuit: str) -> str:
    return f" for circuit {circuit}" if circuit else ""
