"""Labels for the state of a simulated fleet, so that the search can be steered to new states."""

from __future__ import annotations

from ha_rag.circuit.state import CircuitState
from tests.ledger.simulated_fleet import SVC, Fleet, Member

CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN


def situations(fleet: Fleet) -> set[str]:
    """All labels of the current state, each also combined with the circuit's state."""
    circuit, now_ms = fleet.ledger.circuit(SVC), fleet.ledger_clock.unix_ms()
    running = [lease for lease in circuit.leases.values() if lease.until_ms > now_ms]
    labels = {f"a replica {what}" for member in fleet.members for what in _of(member, circuit.epoch)}
    if any(lease.epoch != circuit.epoch for lease in running):
        labels.add("a lease of an earlier epoch is running")
    tokens = {call.token for member in fleet.members for call in member.calls if call.probe}
    if any(token not in tokens for token, lease in circuit.leases.items() if lease.until_ms > now_ms):
        labels.add("a lease is running without a probe")
    if circuit.override is not None:
        labels.add("an override is active")
    return {f"{circuit.state}: {situation}" for situation in labels | {"nothing else"}}


def _of(member: Member, epoch: int) -> list[str]:
    view, own = member.view, member.view._local_trip.breaker.circuit
    probes = [call for call in member.calls if call.probe]
    facts = {
        "is ahead of the ledger": view.fleet.epoch > epoch,
        "is behind the ledger": view.fleet.epoch < epoch,
        "probes": any(not call.local for call in probes),
        "probes under a lost lease": any(call.token in member.fleet.watch.lost for call in probes),
        "runs a local probe": any(call.local for call in probes),
        "cannot reach the ledger": view.ledger_unreachable,
        "cannot reach the ledger and is open": view.ledger_unreachable and own.state is OPEN,
        "is tripped locally and reaches the ledger": not view.ledger_unreachable and own.state is OPEN,
        "runs a local probe and reaches the ledger": not view.ledger_unreachable and any(call.local for call in probes),
        "holds a grant": view._leases._grant is not None,
        "has a call of an earlier epoch": any(c.epoch != view.fleet.epoch for c in member.calls if not c.probe),
        "is paused": member.wire.paused,
        "is paused while probing": member.wire.paused and bool(probes),
        "cannot reach the service": member.sick,
        "was refused a verb": member.wire.readonly and view.ledger_unreachable,
        "has a batch that was not acknowledged": view._counter._outbox._sent is not None,
    }
    return [what for what, holds in facts.items() if holds]
