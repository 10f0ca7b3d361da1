"""Answers and circuits in their wire form: plain dicts, which orjson encodes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from starlette.responses import Response

from ha_rag.breaker.report import CircuitReport
from ha_rag.messages import Answer, AssignedArm, Attempt, Citation


def json_response(content: Any, status: int = 200) -> Response:
    """`content` as a JSON reply."""
    return Response(orjson.dumps(content), status, media_type="application/json")


def answer_wire(answer: Answer) -> dict[str, Any]:
    """An answer, and how it was produced. `age_s` only of an earlier one, `experiment` only while there is one."""
    age = {} if answer.age_s is None else {"age_s": round(answer.age_s, 3)}
    experiment = {} if answer.experiment is None else {"experiment": arm_wire(answer.experiment)}
    return {
        "id": answer.id,
        "question": answer.question,
        "answer": answer.text,
        "answered": answer.answered,
        "simulated": answer.simulated,
        **age,
        "truncated": answer.truncated,
        "finish_reason": answer.finish_reason,
        "citations": [citation_wire(citation) for citation in answer.citations],
        "degraded": answer.degraded,
        "degraded_stages": answer.degraded_stages,
        # orjson requires plain strings as keys; stages are an enumeration.
        "served_by": {str(stage): tier for stage, tier in answer.served_by.items()},
        "attempts": [attempt_wire(attempt) for attempt in answer.attempts],
        "quality": answer.quality and asdict(answer.quality),
        **experiment,
        "shared_state": answer.shared_state,
        "replica": answer.replica,
        "ms": round(answer.ms, 3),
    }


def arm_wire(assigned: AssignedArm) -> dict[str, Any]:
    """The arm of an answer, without the mark of who asked."""
    return {
        "name": assigned.experiment,
        "arm": assigned.arm,
        "sticky": assigned.sticky,
        "as_assigned": assigned.as_assigned,
        "counted": assigned.counted,
    }


def citation_wire(citation: Citation) -> dict[str, Any]:
    """One passage cited by an answer; `also_in` only if the same text was found in other documents."""
    wire: dict[str, Any] = {
        "n": citation.n,
        "document": citation.document,
        "passage": citation.passage,
        "text": citation.text,
        "quote": citation.quote,
        "quote_start": citation.quote_start,
        "quote_end": citation.quote_end,
        "score": round(citation.score, 6),
    }
    return wire | {"also_in": list(citation.also_in)} if citation.also_in else wire


def attempt_wire(attempt: Attempt) -> dict[str, Any]:
    """One tier that was tried or skipped; `reason` only if there is one."""
    wire = {"circuit": attempt.circuit, "outcome": attempt.outcome, "state": attempt.state, "ms": round(attempt.ms, 3)}
    return wire | {"reason": attempt.reason} if attempt.reason else wire


def circuit_wire(report: CircuitReport) -> dict[str, Any]:
    """One circuit: its state in the fleet, this replica's own if that differs, and the other replicas that differ."""
    override, here = report.override, report.here
    return {
        "name": report.name,
        "state": report.state,
        "override": override
        and {
            "mode": override.mode,
            "reason": override.reason,
            "by": override.by,
            "ends_in_s": override.left_s,
        },
        "epoch": report.epoch,
        "failure_rate": report.failure_rate,
        "slow_rate": report.slow_rate,
        "samples": report.samples,
        "recovers_in_s": report.recovers_in_s,
        "reason": report.reason,
        "opened_by": report.opened_by,
        "voters": report.voters,
        "open_count": report.open_count,
        "changed_at": report.changed_at,
        "scope": report.scope,
        "here": here and {"state": here.state, "why": here.why, "recovers_in_s": here.recovers_in_s},
        "differing": [{"replica": there.replica, "state": there.state} for there in report.differing],
        "unconfirmed": report.unconfirmed,
    }
