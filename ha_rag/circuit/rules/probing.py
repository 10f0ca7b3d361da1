"""Probes: when a replica may make one, and how its outcome changes a half-open circuit."""

from __future__ import annotations

from dataclasses import replace

from ha_rag.circuit.rules.changing import capped_open_ms, change, next_open_ms, trip
from ha_rag.circuit.rules.model import Decision
from ha_rag.circuit.rules.overriding import expire_override
from ha_rag.circuit.state import Circuit, CircuitState, Lease
from ha_rag.circuit.terms import Terms
from ha_rag.circuit.transitions import Trigger
from ha_rag.outcomes import Outcome

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


def lease(
    circuit: Circuit, terms: Terms, now_ms: int, replica: str, known_epoch: int, token: str, spare_ms: int = 0
) -> Decision:
    """Grants a probe, or refuses and changes nothing.

    `known_epoch`: the highest that the replica knows. A ledger behind it has lost data, and grants nothing.
    `spare_ms`: how much longer than the terms say the lease is to be held. Waiting times do not grow with it.
    """
    current, expired = expire_override(circuit, now_ms)
    held = current.leases.get(token)
    is_used = held is not None and held.until_ms > now_ms and not held.is_active(now_ms)
    if is_used or known_epoch > circuit.epoch or lease_wait_ms(current, terms, now_ms, replica) != 0:
        return Decision(circuit)
    events = expired
    if current.state is OPEN:
        current, event = change(current, Trigger.PROBE_GRANTED, now_ms, "the recovery timeout is over", replica)
        events += (event,)
    kept = {t: held for t, held in current.leases.items() if held.until_ms > now_ms}
    granted = {**kept, token: Lease(now_ms + terms.lease_ms + spare_ms, current.epoch)}
    return Decision(replace(current, leases=granted), events, granted=True, publish=bool(events))


def lease_wait_ms(circuit: Circuit, terms: Terms, now_ms: int, replica: str) -> int | None:
    """How long until `replica` may probe: 0 now, None if unknown (under an override) or not needed (closed).

    A replica whose probe failed waits until another replica's probe succeeds, or for two lease durations after the
    last failed probe: the fault may be its own. With a quorum, every replica whose probe failed waits.
    """
    overridden = circuit.override is not None and not circuit.override.expired(now_ms)
    if overridden or circuit.state is CLOSED:
        return None
    waits = [0]
    if circuit.state is OPEN:
        waits.append(circuit.open_until_ms - now_ms)
    ends = [held.until_ms for held in circuit.leases.values() if held.is_active(now_ms)]
    if len(ends) >= terms.probes:
        waits.append(min(ends) - now_ms)
    if circuit.lost_by and (circuit.lost_by == replica or circuit.voters.get(replica, 0) > now_ms):
        waits.append(circuit.lost_at_ms + 2 * terms.lease_ms - now_ms)
    return max(waits)


def settle(
    circuit: Circuit,
    terms: Terms,
    now_ms: int,
    replica: str,
    token: str,
    outcome: Outcome,
    throttled_ms: int = 0,
    jitter: float = 0.0,
    took_ms: int = 0,
) -> Decision:
    """Ends a probe. `took_ms`: its duration.

    An expired, used or unknown token changes nothing; a lease of another epoch is only released.
    """
    held = circuit.leases.get(token)
    if held is None or not held.is_active(now_ms):
        return Decision(circuit)
    circuit, expired = expire_override(circuit, now_ms)
    released = replace(circuit, leases={**circuit.leases, token: replace(held, epoch=0)})
    if held.epoch != circuit.epoch or circuit.state is not HALF_OPEN or outcome is Outcome.CANCELLED:
        return Decision(released, expired, publish=True)
    if outcome is Outcome.OK or outcome is Outcome.INVALID or _tolerably_slow(circuit, terms, outcome):
        return _succeeded(released, terms, now_ms, replica, outcome, took_ms)
    return _failed(released, terms, now_ms, replica, outcome, throttled_ms, jitter)


def _tolerably_slow(circuit: Circuit, terms: Terms, outcome: Outcome) -> bool:
    share = (circuit.probe_slow + 1) / (circuit.probe_successes + 1)
    return outcome is Outcome.SLOW and share < terms.slow_threshold


def _succeeded(circuit: Circuit, terms: Terms, now_ms: int, replica: str, outcome: Outcome, took_ms: int) -> Decision:
    slowest_ms = max(circuit.slowest_probe_ms, took_ms)
    counted = replace(
        circuit,
        probe_successes=circuit.probe_successes + 1,
        probe_slow=circuit.probe_slow + (outcome is Outcome.SLOW),
        slowest_probe_ms=slowest_ms,
        lost_by="",
    )
    if counted.probe_successes < terms.probe_successes:
        return Decision(counted, publish=True)
    reason = f"{counted.probe_successes} good probes"
    closed, event = change(counted, Trigger.PROBES_SUCCEEDED, now_ms, reason, replica)
    # Failures end sooner than successes and are reported at once, so at first they would dominate the window.
    hold_ms = min(max(terms.blip_ms, 2 * slowest_ms), terms.window_ms)
    return Decision(replace(closed, judges_from_ms=now_ms + hold_ms), (event,), publish=True)


def _failed(
    circuit: Circuit, terms: Terms, now_ms: int, replica: str, outcome: Outcome, throttled_ms: int, jitter: float
) -> Decision:
    """Opens the circuit again. With a quorum above 1, only after the probes of that many replicas failed."""
    voters = {name: until for name, until in circuit.voters.items() if until > now_ms}
    voters[replica] = now_ms + max(terms.window_ms, 4 * terms.lease_ms)
    circuit = replace(circuit, voters=voters, lost_by=replica, lost_at_ms=now_ms)
    if len(voters) < terms.quorum:
        return Decision(circuit, publish=True)
    if outcome is Outcome.THROTTLED:
        trigger, open_ms, step = Trigger.THROTTLED, capped_open_ms(throttled_ms, terms), 0
    else:
        trigger, open_ms, step = Trigger.PROBE_FAILED, next_open_ms(circuit, terms, now_ms, jitter), 1
    return trip(circuit, trigger, now_ms, open_ms, step, f"a probe ended {outcome}", replica, terms)
