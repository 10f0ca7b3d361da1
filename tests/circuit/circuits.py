"""Helpers for the tests of the rules: terms, verbs, and circuits in each state."""

from __future__ import annotations

from typing import Any

from ha_rag.circuit import rules
from ha_rag.circuit.rules import Batch, Decision, Tally
from ha_rag.circuit.state import Circuit, CircuitState, Counts, Lease
from ha_rag.circuit.terms import Terms
from ha_rag.outcomes import Outcome

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
NOW = 1_790_000_000_000


def terms(**changed: Any) -> Terms:
    """Opens at 3 samples with half of them failed, for 500 ms; two successful probes close; a lease lasts 300 ms."""
    defaults = {
        "window_ms": 1000, "bucket_ms": 100, "min_samples": 3, "failure_threshold": 0.5, "slow_threshold": 2.0,
        "quorum": 1, "open_ms": 500, "backoff": 2.0, "open_max_ms": 4000, "throttle_max_ms": 2000, "probes": 1,
        "probe_successes": 2, "lease_ms": 300,
    }  # fmt: skip
    return Terms(**{**defaults, **changed})


T = terms()


def report(
    circuit: Circuit, ok: int = 0, failed: int = 0, slow: int = 0, *, now: int = NOW, at: int | None = None,
    by: str = "a", number: int | None = None, epoch: int | None = None, failing: bool = False, under: Terms = T,
    jitter: float = 0.0, overdue: int = 0,
) -> Decision:  # fmt: skip
    """Records a new batch with one tally, by default of the current epoch and stamped `now`."""
    last = circuit.batches.get(by)
    number = number if number is not None else (last.number + 1 if last else 1)
    tally_epoch, tally_at = circuit.epoch if epoch is None else epoch, now if at is None else at
    tally = Tally(tally_epoch, tally_at, Counts(ok, failed, slow), overdue)
    return rules.record(circuit, under, now, Batch(by, number, (tally,), failing), jitter)


def pause_requested(
    circuit: Circuit, ms: int, *, now: int = NOW, by: str = "a", at: int = 0, epoch: int | None = None,
    under: Terms = T,
) -> Decision:  # fmt: skip
    last = circuit.batches.get(by)
    batch = Batch(
        by, last.number + 1 if last else 1, throttled_ms=ms,
        throttled_epoch=circuit.epoch if epoch is None else epoch, throttled_at_ms=at,
    )  # fmt: skip
    return rules.record(circuit, under, now, batch)


def lease(circuit: Circuit, *, now: int, by: str = "a", token: str = "", known: int = 0, under: Terms = T) -> Decision:
    """Requests a lease. `token`: by default an unused one."""
    return rules.lease(circuit, under, now, by, known, token or "t" * (1 + len(circuit.leases)))


def active_leases(circuit: Circuit) -> dict[str, Lease]:
    """The leases that were not used yet."""
    return {token: held for token, held in circuit.leases.items() if held.epoch}


def settle(
    circuit: Circuit, outcome: Outcome, *, now: int, by: str = "a", token: str = "", requested_ms: int = 0,
    under: Terms = T, jitter: float = 0.0, took_ms: int = 0,
) -> Decision:  # fmt: skip
    """Ends a probe. `token`: by default that of the first active lease."""
    held = token or next(iter(active_leases(circuit)), "t")
    return rules.settle(circuit, under, now, by, held, outcome, requested_ms, jitter, took_ms)


def opened(under: Terms = T) -> Circuit:
    """Opened at NOW, until OPEN_UNTIL."""
    circuit = Circuit()
    for by in "abcdefgh"[: under.quorum]:
        circuit = report(circuit, failed=under.min_samples, by=by, failing=True, under=under).circuit
    assert circuit.state is OPEN
    return circuit


OPEN_UNTIL = NOW + 500


def half_open(under: Terms = T) -> Circuit:
    """Half-open since OPEN_UNTIL; replica `a` holds the lease `t`."""
    decision = lease(opened(under), now=OPEN_UNTIL, under=under)
    assert decision.granted
    return decision.circuit
