"""Where a fleet may stand when anything can happen: each opening leads it there, and shows that it did.

Random steps alone seldom get as far as a probe under way whose grant Redis has forgotten, so they begin there.
Before each outage every replica has a call under way: what was admitted before the circuit opened ends long after it.
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
    """Nobody has called yet."""
    assert fleet.ledger.circuit(SVC).epoch == 0


async def resting(fleet: Fleet) -> None:
    """The service is down, the circuit open."""
    await asyncio.gather(*(m.begin() for m in fleet.members))
    await fail(fleet.members)
    await asyncio.sleep(0.2)
    assert fleet.ledger.circuit(SVC).state is OPEN
    fleet.down = True


async def rested(fleet: Fleet) -> None:
    """The rest is over; nobody has asked for a probe."""
    await resting(fleet)
    await asyncio.sleep(0.85)
    assert {m.state for m in fleet.members} == {HALF_OPEN}


async def _probe(member: Member) -> Call:
    call = None
    while call is None:  # a fleet spreads what all want to ask over some milliseconds
        call = await member.begin()
        await asyncio.sleep(0.001)
    assert call.probe
    return call


async def probing(fleet: Fleet) -> None:
    """A probe is under way."""
    await rested(fleet)
    await _probe(fleet.members[0])
    assert fleet.ledger.circuit(SVC).state is HALF_OPEN


async def half_won(fleet: Fleet) -> None:
    """One probe was good, where two are needed."""
    await rested(fleet)
    first, *others = fleet.members
    await first.call()
    assert others
    await asyncio.sleep(0.02)


async def lost_once(fleet: Fleet) -> None:
    """A probe has failed: with a quorum of one the circuit rests for longer."""
    await rested(fleet)
    call = await _probe(fleet.members[0])
    call.member.end(call, DOWN)
    await fleet.settled(call)
    await asyncio.sleep(0.02)
    assert fleet.ledger.circuit(SVC).lost_by


async def closed_again(fleet: Fleet) -> None:
    """The service is back and the circuit closed; calls of before the outage are still under way."""
    await rested(fleet)
    fleet.down = False
    await fleet.closes(within_s=3.0)
    assert any(call.epoch == 0 for m in fleet.members for call in m.calls)


async def probing_a_forgetful_ledger(fleet: Fleet) -> None:
    """Redis was flushed while a probe was under way."""
    await probing(fleet)
    fleet.flush()


async def opened_anew_beside_a_lost_probe(fleet: Fleet) -> None:
    """Redis was flushed while a probe was under way, and opened for replicas that know of nothing before that.

    However short a rest the policy asks for, nobody probes before that probe must have ended.
    """
    await probing_a_forgetful_ledger(fleet)
    newcomers = [await fleet.join(f"new{number}") for number in range(fleet.policy.quorum)]
    await fail(newcomers)
    await asyncio.sleep(fleet.policy.recovery_timeout_s + 0.05 if fleet.timeout_s else 0.05)
    await fail(fleet.members, 1)
    assert fleet.ledger.circuit(SVC).state is OPEN


async def probing_beside_a_stale_copy(fleet: Fleet) -> None:
    """Redis failed over to a copy of before the grant while a probe was under way."""
    await rested(fleet)
    fleet.copy()
    await _probe(fleet.members[0])
    fleet.failover()


async def forgotten_while_resting(fleet: Fleet) -> None:
    """Redis was flushed while the circuit was open, and nobody has noticed."""
    await resting(fleet)
    fleet.flush()


async def copied_while_closed(fleet: Fleet) -> None:
    """A replica of Redis has not heard yet that the circuit opened, and may become the master."""
    await asyncio.gather(*(m.call() for m in fleet.members))
    await asyncio.sleep(0.2)
    fleet.copy()
    await rested(fleet)


async def prober_dead(fleet: Fleet) -> None:
    """The replica that probes was killed, and another one took its place."""
    await probing(fleet)
    await fleet.bury(fleet.members[0])
    await fleet.join("late")


async def last_one(fleet: Fleet) -> None:
    """All replicas but one were killed, the one that probed among them, and nobody took their place."""
    await probing(fleet)
    *dead, _ = fleet.members
    for member in dead:
        await fleet.bury(member)


async def two_transitions_share_an_epoch(fleet: Fleet) -> None:
    """Redis failed over to a copy of before the outage, on a clock that lags. There an operator's word ended in the
    very millisecond in which the circuit had opened, and those who know of that were cut off meanwhile."""
    fleet.copy()
    await resting(fleet)
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
    fleet.ledger_clock.ahead_ms += 500  # set right again: what it says is not taken for late
    assert all(m.view.fleet.epoch == opened and m.state is OPEN for m in cut)
    for member in cut:
        member.wire.mend()


async def taught_by_one_that_missed_the_opening(fleet: Fleet) -> None:
    """Redis was flushed soon after an opening, and was taught first by a replica that had not heard of it."""
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
    late.wire.mend()
    while fleet.ledger.circuit(SVC).epoch == 0:
        await asyncio.sleep(0.01)
    taught = fleet.ledger.circuit(SVC)
    assert (taught.state, taught.epoch > opened.epoch) == (CLOSED, True)
    for member in others:
        member.wire.mend()


async def prober_paused(fleet: Fleet) -> None:
    """The replica that probes stands still."""
    await probing(fleet)
    fleet.members[0].wire.pause()


async def granted_late(fleet: Fleet) -> None:
    """Redis is slow: a grant has come when its asker was gone, and waits for the next call."""
    await rested(fleet)
    member = fleet.members[0]
    member.wire.delay_s = 0.05
    assert await member.begin() is None
    await asyncio.sleep(0.1)


async def alone(fleet: Fleet) -> None:
    """Redis is gone, the rest is over, and every replica is by itself."""
    await resting(fleet)
    for member in fleet.members:
        member.wire.cut()
    await asyncio.sleep(2.5)
    assert all(m.view.ledger_unreachable for m in fleet.members)


async def back_after_alone(fleet: Fleet) -> None:
    """A replica that opened by itself, without Redis, hears Redis again, where the others keep the circuit closed."""
    member, *others = fleet.members
    member.wire.cut()
    await asyncio.sleep(2.0)
    await fail([member])
    assert member.view.is_tripped_locally()
    for _ in range(10):
        await asyncio.gather(*(m.call() for m in others))
    member.wire.mend()
    await asyncio.sleep(0.6)
    assert fleet.ledger.circuit(SVC).state is CLOSED
    assert not member.view.ledger_unreachable
    assert member.view.is_tripped_locally()


async def one_sick(fleet: Fleet) -> None:
    """One replica alone sees its calls fail, and has opened for itself: the others' calls go well."""
    sick, *others = fleet.members
    for _ in range(10):
        await asyncio.gather(*(m.call() for m in others))
    await asyncio.sleep(0.15)
    await fail([sick])
    await asyncio.sleep(0.15)
    sick.sick = True
    assert sick.state is OPEN


async def only_reading(fleet: Fleet) -> None:
    """Redis reads but does not write, the rest is over, and every replica knows it."""
    await rested(fleet)
    for member in fleet.members:
        member.wire.readonly = True
    await asyncio.gather(*(m.call(DOWN) for m in fleet.members))
    await asyncio.sleep(0.2)
    assert any(m.view.ledger_unreachable for m in fleet.members)


async def overridden(fleet: Fleet) -> None:
    """An operator holds the circuit open for a moment, over one that rests."""
    await resting(fleet)
    await fleet.members[0].registry.override(SVC, OverrideMode.OPEN, reason="test", by="me", for_s=0.3)


async def shadowed(fleet: Fleet) -> None:
    """An operator lets all calls pass for a moment, and the service is down."""
    await fleet.members[0].registry.override(SVC, OverrideMode.SHADOW, reason="test", by="me", for_s=1.5)
    fleet.down = True


async def held_closed(fleet: Fleet) -> None:
    """An operator has all calls pass for a moment, all of them fail, and everybody calls all the time."""
    await fleet.members[0].registry.override(SVC, OverrideMode.CLOSED, reason="test", by="me", for_s=1.5)
    await asyncio.sleep(0.01)
    fleet.down = True
    for _ in range(60):
        await fail(fleet.members, 1)
        await asyncio.sleep(0.005)


OPENINGS: dict[str, Callable[[Fleet], Awaitable[None]]] = {
    opening.__name__: opening
    for opening in (
        fresh, resting, rested, probing, half_won, lost_once, closed_again, probing_a_forgetful_ledger,
        opened_anew_beside_a_lost_probe, probing_beside_a_stale_copy, forgotten_while_resting, copied_while_closed,
        prober_dead, last_one, prober_paused, granted_late, alone, back_after_alone, one_sick, only_reading,
        overridden, shadowed, held_closed, two_transitions_share_an_epoch, taught_by_one_that_missed_the_opening,
    )
}  # fmt: skip
