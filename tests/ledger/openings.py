"""Start states for the state machine: each opening leads a fleet there, and asserts that it did.

Random steps alone seldom reach, for example, a running probe whose grant Redis has lost. Before each outage every
replica has a call in flight: calls admitted before the circuit opened end long after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ha_rag.circuit.state import OverrideMode
from ha_rag.errors import ServiceError
from tests.ledger.simulated_fleet import CLOSED, HALF_OPEN, OPEN, SVC, Call, Fleet, Member

DOWN = ServiceError("down", status=500)


async def fail(members: list[Member], times: int = 3) -> None:
    for _ in range(times):
        await asyncio.gather(*(m.call(DOWN) for m in members))


async def fresh(fleet: Fleet) -> None:
    """No calls yet."""
    assert fleet.ledger.circuit(SVC).epoch == 0


async def circuit_open(fleet: Fleet) -> None:
    """The service is down, the circuit open."""
    await asyncio.gather(*(m.begin() for m in fleet.members))
    await fail(fleet.members)
    await asyncio.sleep(0.2)
    assert fleet.ledger.circuit(SVC).state is OPEN
    fleet.down = True


async def half_open_next(fleet: Fleet) -> None:
    """The open duration is over; no replica has requested a lease."""
    await circuit_open(fleet)
    await asyncio.sleep(0.85)
    assert {m.state for m in fleet.members} == {HALF_OPEN}


async def _probe(member: Member) -> Call:
    call = None
    while call is None:  # a fleet spreads its lease requests over some milliseconds
        call = await member.begin()
        await asyncio.sleep(0.001)
    assert call.probe
    return call


async def probing(fleet: Fleet) -> None:
    """A probe is running."""
    await half_open_next(fleet)
    await _probe(fleet.members[0])
    assert fleet.ledger.circuit(SVC).state is HALF_OPEN


async def one_probe_succeeded(fleet: Fleet) -> None:
    """One probe succeeded, where two are needed."""
    await half_open_next(fleet)
    first, *others = fleet.members
    await first.call()
    assert others
    await asyncio.sleep(0.02)


async def lost_once(fleet: Fleet) -> None:
    """A probe has failed: with a quorum of one the circuit stays open for longer."""
    await half_open_next(fleet)
    call = await _probe(fleet.members[0])
    call.member.end(call, DOWN)
    await fleet.settled(call)
    await asyncio.sleep(0.02)
    assert fleet.ledger.circuit(SVC).lost_by


async def closed_again(fleet: Fleet) -> None:
    """The service is back and the circuit closed; calls from before the outage are still in flight."""
    await half_open_next(fleet)
    fleet.down = False
    await fleet.closes(within_s=3.0)
    assert any(call.epoch == 0 for m in fleet.members for call in m.calls)


async def probing_after_a_flush(fleet: Fleet) -> None:
    """Redis was flushed while a probe was running."""
    await probing(fleet)
    fleet.flush()


async def reopened_beside_a_lost_probe(fleet: Fleet) -> None:
    """Redis was flushed during a probe, and the circuit opened for replicas that know nothing from before that.

    However short the policy's open duration is, no replica probes before that probe must have ended.
    """
    await probing_after_a_flush(fleet)
    newcomers = [await fleet.join(f"new{number}") for number in range(fleet.policy.quorum)]
    await fail(newcomers)
    await asyncio.sleep(fleet.policy.recovery_timeout_s + 0.05 if fleet.timeout_s else 0.05)
    await fail(fleet.members, 1)
    assert fleet.ledger.circuit(SVC).state is OPEN


async def probing_beside_a_stale_copy(fleet: Fleet) -> None:
    """During a probe Redis failed over to a copy from before the grant."""
    await half_open_next(fleet)
    fleet.copy()
    await _probe(fleet.members[0])
    fleet.failover()


async def flushed_while_open(fleet: Fleet) -> None:
    """Redis was flushed while the circuit was open, and no replica has noticed."""
    await circuit_open(fleet)
    fleet.flush()


async def copied_while_closed(fleet: Fleet) -> None:
    """A replica of Redis does not know yet that the circuit opened, and may become the master."""
    await asyncio.gather(*(m.call() for m in fleet.members))
    await asyncio.sleep(0.2)
    fleet.copy()
    await half_open_next(fleet)


async def prober_dead(fleet: Fleet) -> None:
    """The replica that probes was killed, and a new one replaced it."""
    await probing(fleet)
    await fleet.remove_dead(fleet.members[0])
    await fleet.join("late")


async def last_one(fleet: Fleet) -> None:
    """All replicas but one were killed, including the one that probed, and none was replaced."""
    await probing(fleet)
    *dead, _ = fleet.members
    for member in dead:
        await fleet.remove_dead(member)


async def two_transitions_share_an_epoch(fleet: Fleet) -> None:
    """Redis failed over to a copy from before the outage, with a clock that lags. There an override ended in the exact
    millisecond in which the circuit had opened, while the replicas that know of the opening were disconnected.
    """
    fleet.copy()
    await circuit_open(fleet)
    opened = fleet.ledger.circuit(SVC).epoch
    cut = list(fleet.members)
    for member in cut:
        member.wire.cut()
    fleet.failover()
    new = await fleet.join("new")
    fleet.failover(opened - 5 - fleet.ledger_clock.unix_ms())
    await new.registry.override(SVC, OverrideMode.SHADOW, reason="test", by="me")
    await asyncio.sleep(0.001 * (opened - 1 - fleet.ledger_clock.unix_ms()))
    await new.registry.end_override(SVC, by="me")
    circuit = fleet.ledger.circuit(SVC)
    assert (circuit.epoch, circuit.state, circuit.override) == (opened, CLOSED, None)
    fleet.ledger_clock.ahead_ms += 500  # set right again, so that its replies do not count as late
    assert all(m.view.fleet.epoch == opened and m.state is OPEN for m in cut)
    for member in cut:
        member.wire.repair()


async def restored_by_one_that_missed_the_opening(fleet: Fleet) -> None:
    """Redis was flushed soon after an opening, and first restored by a replica that did not know of it."""
    late, *others = fleet.members
    others += [await fleet.join(f"more{number}") for number in range(fleet.policy.quorum - len(others))]
    await late.registry.override(SVC, OverrideMode.SHADOW, reason="test", by="me")
    await late.registry.end_override(SVC, by="me")
    await asyncio.sleep(0.1)
    late.wire.cut()
    await fail(others)
    await asyncio.sleep(0.05)
    opened = fleet.ledger.circuit(SVC)
    assert (opened.state, late.view.fleet.state) == (OPEN, CLOSED)
    fleet.down = True
    for member in others:
        member.wire.cut()
    fleet.flush()
    late.wire.repair()
    while fleet.ledger.circuit(SVC).epoch == 0:
        await asyncio.sleep(0.01)
    restored = fleet.ledger.circuit(SVC)
    assert (restored.state, restored.epoch > opened.epoch) == (CLOSED, True)
    for member in others:
        member.wire.repair()


async def prober_paused(fleet: Fleet) -> None:
    """The replica that probes is paused."""
    await probing(fleet)
    fleet.members[0].wire.pause()


async def granted_late(fleet: Fleet) -> None:
    """Redis is slow: a grant came after its call had ended, and waits for the next call."""
    await half_open_next(fleet)
    member = fleet.members[0]
    member.wire.delay_s = 0.05
    assert await member.begin() is None
    await asyncio.sleep(0.1)


async def alone(fleet: Fleet) -> None:
    """Redis is gone, the open duration is over, and every replica decides locally."""
    await circuit_open(fleet)
    for member in fleet.members:
        member.wire.cut()
    await asyncio.sleep(2.5)
    assert all(m.view.ledger_unreachable for m in fleet.members)


async def back_after_alone(fleet: Fleet) -> None:
    """A replica that opened locally, without Redis, reaches Redis again, where the circuit is still closed."""
    member, *others = fleet.members
    member.wire.cut()
    await asyncio.sleep(2.0)
    await fail([member])
    assert member.view.is_tripped_locally()
    for _ in range(10):
        await asyncio.gather(*(m.call() for m in others))
    member.wire.repair()
    await asyncio.sleep(0.6)
    assert fleet.ledger.circuit(SVC).state is CLOSED
    assert not member.view.ledger_unreachable
    assert member.view.is_tripped_locally()


async def one_sick(fleet: Fleet) -> None:
    """Only one replica's calls fail, and it has tripped locally."""
    sick, *others = fleet.members
    for _ in range(10):
        await asyncio.gather(*(m.call() for m in others))
    await asyncio.sleep(0.15)
    await fail([sick])
    await asyncio.sleep(0.15)
    sick.sick = True
    assert sick.state is OPEN


async def only_reading(fleet: Fleet) -> None:
    """Redis is read-only, the open duration is over, and every replica knows it."""
    await half_open_next(fleet)
    for member in fleet.members:
        member.wire.readonly = True
    await asyncio.gather(*(m.call(DOWN) for m in fleet.members))
    await asyncio.sleep(0.2)
    assert any(m.view.ledger_unreachable for m in fleet.members)


async def overridden(fleet: Fleet) -> None:
    """A short forced-open override on an open circuit."""
    await circuit_open(fleet)
    await fleet.members[0].registry.override(SVC, OverrideMode.OPEN, reason="test", by="me", for_s=0.3)


async def shadowed(fleet: Fleet) -> None:
    """A short forced-closed override while the service is down."""
    await fleet.members[0].registry.override(SVC, OverrideMode.SHADOW, reason="test", by="me", for_s=1.5)
    fleet.down = True


async def held_closed(fleet: Fleet) -> None:
    """A short forced-closed override while all calls fail and all replicas call all the time."""
    await fleet.members[0].registry.override(SVC, OverrideMode.CLOSED, reason="test", by="me", for_s=1.5)
    await asyncio.sleep(0.01)
    fleet.down = True
    for _ in range(60):
        await fail(fleet.members, 1)
        await asyncio.sleep(0.005)


OPENINGS: dict[str, Callable[[Fleet], Awaitable[None]]] = {
    opening.__name__: opening
    for opening in (
        fresh, circuit_open, half_open_next, probing, one_probe_succeeded, lost_once, closed_again,
        probing_after_a_flush, reopened_beside_a_lost_probe, probing_beside_a_stale_copy, flushed_while_open,
        copied_while_closed, prober_dead, last_one, prober_paused, granted_late, alone, back_after_alone, one_sick,
        only_reading, overridden, shadowed, held_closed, two_transitions_share_an_epoch,
        restored_by_one_that_missed_the_opening,
    )
}  # fmt: skip
