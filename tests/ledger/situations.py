"""Labels for the state of a simulated fleet, so that the search can be steered to new states."""

from __future__ import annotations

from ha_rag.circuit.state import CircuitState
from tests.ledger.simulated_fleet import SVC, Fleet, Member

CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN


def situations(fleet: Fleet) -> set[str]:
    """All labels of the current state, each also combined with the circuit's state."""
    circuit, now_ms = fleet.ledger.circuit(SVC), fleet.ledger_clock.unix_ms()
    standing = [lease for lease in circuit.leases.values() if lease.until_ms > now_ms]
    said = {f"a replica {what}" for member in fleet.members for what in _of(member, circuit.epoch)}
    if any(lease.epoch != circuit.epoch for lease in standing):
        said.add("a lease of an earlier epoch stands")
    tokens = {call.token for member in fleet.members for call in member.calls if call.probe}
    if any(token not in tokens for token, lease in circuit.leases.items() if lease.until_ms > now_ms):
        said.add("a lease stands whose probe nobody makes")
    if circuit.override is not None:
        said.add("an operator has spoken")
    return {f"{circuit.state}: {situation}" for situation in said | {"nothing else"}}


def _of(member: Member, epoch: int) -> list[str]:
    view, own = member.view, member.view._local_trip.breaker.circuit
    probes = [call for call in member.calls if call.probe]
    facts = {
        "knows more than the ledger": view.fleet.epoch > epoch,
        "knows less than the ledger": view.fleet.epoch < epoch,
        "probes": any(not call.local for call in probes),
        "probes under a lost lease": any(call.token in member.fleet.watch.lost for call in probes),
        "probes alone": any(call.local for call in probes),
        "is away": view.ledger_unreachable,
        "is away and rests": view.ledger_unreachable and own.state is OPEN,
        "rests by itself in touch with all": not view.ledger_unreachable and own.state is OPEN,
        "probes alone though in touch": not view.ledger_unreachable and any(call.local for call in probes),
        "holds a grant": view._leases._grant is not None,
        "has a call of an earlier epoch": any(c.epoch != view.fleet.epoch for c in member.calls if not c.probe),
        "stands still": member.wire.paused,
        "stands still, probing": member.wire.paused and bool(probes),
        "is sick": member.sick,
        "was refused a verb": member.wire.readonly and view.ledger_unreachable,
        "has a batch that was not acknowledged": view._counter._outbox._sent is not None,
    }
    return [what for what, true in facts.items() if true]
