"""Probes: who may make one and when, and what their ends do to a half-open circuit."""

from __future__ import annotations

from dataclasses import replace

from ha_rag.circuit.rules.changing import capped_open_ms, change, next_open_ms, trip
from ha_rag.circuit.rules.model import Decision
from ha_rag.circuit.rules.overriding import expire_override
from ha_rag.circuit.state import Circuit, CircuitState, Lease
from ha_rag.circuit.terms import Terms
from ha_rag.circuit.transitions import Trigger
from ha_rag.messages import Outcome

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


def lease(circuit: Circuit, terms: Terms, now_ms: int, replica: str, known_epoch: int, token: str) -> Decision:
    """Grants a probe, or refuses and changes nothing.

    `known_epoch`: the asker's. A ledger that is behind it has forgotten something, and grants nothing.
    """
    current, expired = expire_override(circuit, now_ms)
    before = current.leases.get(token)
    spent = before is not None and before.until_ms > now_ms and not before.is_active(now_ms)
    if spent or known_epoch > circuit.epoch or lease_wait_ms(current, terms, now_ms, replica) != 0:
        return Decision(circuit)
    events = expired
    if current.state is OPEN:
        current, event = change(current, Trigger.PROBE_GRANTED, now_ms, "the rest is over", replica)
        events += (event,)
    kept = {t: held for t, held in current.leases.items() if held.until_ms > now_ms}
    granted = {**kept, token: Lease(now_ms + terms.lease_ms, current.epoch)}
    return Decision(replace(current, leases=granted), events, granted=True, publish=bool(events))


def lease_wait_ms(circuit: Circuit, terms: Terms, now_ms: int, replica: str) -> int | None:
    """How long until `replica` may probe: 0 now, None where nobody can know (forced open) or need to (closed).

    A replica whose probe failed waits until another one's went well, or two lease lives after the last that failed: if
    it is the replica that is sick, the others get to say so. With a quorum several may have failed, and all wait.
    """
    forced = circuit.override is not None and not circuit.override.expired(now_ms)
    if forced or circuit.state is CLOSED:
        return None
    waits = [0]
    if circuit.state is OPEN:
        waits.append(circuit.open_until_ms - now_ms)
    standing = [held.until_ms for held in circuit.leases.values() if held.is_active(now_ms)]
    if len(standing) >= terms.probes:
        waits.append(min(standing) - now_ms)
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
    """A probe's end. `took_ms`: how long it took.

    An expired, spent or foreign token changes nothing; one of another epoch is only given back.
    """
    held = circuit.leases.get(token)
    if held is None or not held.is_active(now_ms):
        return Decision(circuit)
    circuit, expired = expire_override(circuit, now_ms)
    given_back = replace(circuit, leases={**circuit.leases, token: replace(held, epoch=0)})
    if held.epoch != circuit.epoch or circuit.state is not HALF_OPEN or outcome is Outcome.CANCELLED:
        return Decision(given_back, expired, publish=True)
    if outcome is Outcome.OK or outcome is Outcome.INVALID or _slow_but_bearable(circuit, terms, outcome):
        return _won(given_back, terms, now_ms, replica, outcome, took_ms)
    return _lost(given_back, terms, now_ms, replica, outcome, throttled_ms, jitter)


def _slow_but_bearable(circuit: Circuit, terms: Terms, outcome: Outcome) -> bool:
    share = (circuit.probe_slow + 1) / (circuit.probe_successes + 1)
    return outcome is Outcome.SLOW and share < terms.slow_threshold


def _won(circuit: Circuit, terms: Terms, now_ms: int, replica: str, outcome: Outcome, took_ms: int) -> Decision:
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
    # Failures end sooner than successes and are reported at once, so for a moment only they would be seen.
    hold_ms = min(max(terms.blip_ms, 2 * slowest_ms), terms.window_ms)
    return Decision(replace(closed, judges_from_ms=now_ms + hold_ms), (event,), publish=True)


def _lost(
    circuit: Circuit, terms: Terms, now_ms: int, replica: str, outcome: Outcome, throttled_ms: int, jitter: float
) -> Decision:
    """Opens again, with a quorum above 1 only once that many replicas' probes failed."""
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
