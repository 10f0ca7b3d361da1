"""The replica that holds the probe dies, or stands still, between its lease and its word. Invariants 2, 3, 5, 10."""

from __future__ import annotations

import asyncio
import time

import pytest

from ha_rag.ledger.sync.pace import POLL_S
from tests.fleet.crew import LEASE_S, LONG_REST, LONG_REST_S, REST_S, TIGHT_S, TIMEOUT_S, Crew, CrewOf, Member

SLOW_TIMEOUT_S = 3 * TIMEOUT_S
SLOW = {"recovery_timeout_s": SLOW_TIMEOUT_S + 1.0, "recovery_timeout_max_s": SLOW_TIMEOUT_S + 1.0}
"""Probes hang long enough for what must happen meanwhile, on a busy machine too; no rest is shorter than a probe."""

PAUSES = [pytest.param(3.0, id="3s"), pytest.param(30.0, id="30s", marks=pytest.mark.faults)]


async def test_a_prober_that_is_killed_leaves_its_lease_to_end_and_another_one_closes_the_circuit(crew_of: CrewOf):
    async with crew_of(3, policy=LONG_REST) as crew:
        prober, *others = crew.members
        leased_s = await killed_while_it_probes(crew, prober, [])
        await closes_with_the_lease(crew, others, leased_s)


async def test_the_last_replica_alive_closes_the_circuit_after_the_prober_and_all_others_were_killed(crew_of: CrewOf):
    async with crew_of(3, policy=LONG_REST) as crew:
        prober, other, last = crew.members
        leased_s = await killed_while_it_probes(crew, prober, [other])
        await closes_with_the_lease(crew, [last], leased_s)


async def killed_while_it_probes(crew: Crew, prober: Member, others: list[Member]) -> float:
    """A moment not after that at which its lease began."""
    await crew.open()
    await crew.until("half_open", within_s=LONG_REST_S)
    asked_s = time.monotonic()
    probing = await crew.begin_probe(prober)
    for member in (prober, *others):
        member.process.kill()
    await asyncio.gather(probing, return_exceptions=True)
    return asked_s


async def closes_with_the_lease(crew: Crew, alive: list[Member], leased_s: float) -> None:
    """The service is well: nobody probes before the lease has ended, and nobody rests after it."""
    received = await crew.provider.calls()
    await crew.provider.mend()
    await crew.until("closed", within_s=LEASE_S, calling=True, members=alive, slack_s=TIGHT_S)
    probes = await crew.arrivals_since(received)
    assert probes[0]["monotonic_ms"] / 1000 >= leased_s + LEASE_S, "the dead one's probe was alone while its lease ran"
    await crew.never_went_back(alive)


@pytest.mark.parametrize("pause_s", PAUSES)
async def test_a_prober_that_wakes_up_with_an_old_success_does_not_close_the_circuit(crew_of: CrewOf, pause_s: float):
    async with crew_of(3, wires=True, policy={"probe_successes": 1, **SLOW}, timeout_s=SLOW_TIMEOUT_S) as crew:
        prober, *others = crew.members
        await crew.open_to_half_open()
        probing = await crew.begin_probe(prober)
        await prober.freeze_wire()
        await crew.provider.mend()
        assert await probing == "ok", "one success closes, and this one is on its way"
        assert (await prober.sees())["fleet"] == "half_open", "and gets no further than the wire"
        prober.process.pause()

        await crew.provider.fail("chat", for_s=600)
        await call_for(pause_s, others)
        await somebody_probes(crew, others)
        await wake(prober)
        await asyncio.sleep(TIMEOUT_S / 2)
        assert all(after != "closed" for _, after in await crew.changes())
        assert (await others[0].sees())["fleet"] == "half_open", "another one's probe was meant to be under way"
        await crew.until("open", within_s=SLOW_TIMEOUT_S)
        assert all(after != "closed" for _, after in await crew.changes())

        await crew.provider.mend()
        await crew.until("closed", within_s=2 * REST_S + LEASE_S, calling=True)
        await crew.never_went_back()


async def call_for(seconds: float, members: list[Member]) -> None:
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        await asyncio.gather(*(member.call() for member in members))
        await asyncio.sleep(0.1)


async def somebody_probes(crew: Crew, members: list[Member]) -> None:
    """Waits until the service, which says nothing from now on, has a probe of one of them."""
    await crew.until("open", within_s=2 * REST_S, calling=True, members=members)
    await crew.until("half_open", within_s=2 * REST_S, members=members)
    lost = (await crew.provider.arrivals())[-1]["replica"]
    await crew.begin_probe(next(member for member in members if member.name != lost))


@pytest.mark.parametrize("meanwhile", ["nobody else probes", "another one is probing"])
async def test_a_success_that_reaches_redis_after_its_lease_has_ended_does_not_close_the_circuit(
    crew_of: CrewOf, meanwhile: str
):
    async with crew_of(2, wires=True, policy={"probe_successes": 1}) as crew:
        prober, other = crew.members
        await crew.open_to_half_open()
        probing = await crew.begin_probe(prober)
        await prober.freeze_wire()
        await crew.provider.mend()
        assert await probing == "ok", "its word is on the way now"
        await asyncio.sleep(LEASE_S)
        others = await crew.begin_probe(other) if meanwhile == "another one is probing" else None
        await prober.thaw_wire()
        await asyncio.sleep(TIMEOUT_S / 2)
        assert (await other.sees())["fleet"] == "half_open"
        await crew.provider.mend()
        if others is not None:
            assert await others == "ok"
            await crew.until("closed", within_s=1.0)


TOUCHY = {"min_samples": 1}
"""One failure is enough: a single one that counted where it should not would open the circuit."""


async def test_a_replica_that_wakes_up_with_old_failures_opens_nothing_and_learns_what_it_missed(crew_of: CrewOf):
    async with crew_of(3, wires=True, policy=TOUCHY) as crew:
        *awake, sleeper = crew.members
        await asleep_with_failures_to_tell(crew, sleeper)
        await awake[0].call()
        await crew.until("open", within_s=0.5, members=awake)
        await crew.provider.mend()
        await crew.until("closed", within_s=REST_S + TIMEOUT_S, calling=True, members=awake)

        epoch = (await awake[0].sees())["epoch"]
        woken_s = await wake(sleeper)
        assert await believed_s(sleeper, epoch) < woken_s + POLL_S
        await nothing_has_opened(crew, epoch)


@pytest.mark.faults
async def test_a_replica_that_wakes_up_after_30_s_with_failures_of_this_very_epoch_opens_nothing(crew_of: CrewOf):
    async with crew_of(3, wires=True, policy=TOUCHY) as crew:
        *awake, sleeper = crew.members
        await asleep_with_failures_to_tell(crew, sleeper)
        await crew.provider.mend()
        await asyncio.sleep(30.0)

        await wake(sleeper)
        await nothing_has_opened(crew, (await awake[0].sees())["epoch"])
        assert await crew.changes() == []


async def asleep_with_failures_to_tell(crew: Crew, sleeper: Member) -> None:
    """It has begun to tell of them: what it said is on the wire, and gets no further, when it stands still."""
    await sleeper.freeze_wire()
    await crew.provider.fail("chat")
    assert await sleeper.call(5, at_once=True) == ["failed"] * 5
    assert (await sleeper.sees())["fleet"] == "closed"
    sleeper.process.pause()


async def wake(sleeper: Member) -> float:
    """It goes on, and so does what it had said. Answers when."""
    await sleeper.thaw_wire()
    woken_s = time.monotonic()
    sleeper.process.resume()
    return woken_s


async def nothing_has_opened(crew: Crew, epoch: int) -> None:
    assert await crew.unbothered(for_s=1.0) == []
    assert [(await member.sees())["epoch"] for member in crew] == [epoch] * 3
    await crew.never_went_back()


CALLS_PER_S = 50


@pytest.mark.parametrize("pause_s", PAUSES)
async def test_a_replica_that_wakes_up_while_the_circuit_is_open_calls_the_dead_service_no_longer_than_a_poll(
    crew_of: CrewOf, pause_s: float
):
    async with crew_of(3, policy=LONG_REST) as crew:
        *awake, sleeper = crew.members
        await crew.load(CALLS_PER_S, [sleeper])
        while not await crew.provider.calls():
            await asyncio.sleep(0.01)
        sleeper.process.pause()
        await asyncio.sleep(pause_s)
        await crew.provider.fail("chat")
        assert await awake[0].call(3) == ["failed"] * 3
        await crew.until("open", within_s=0.5, members=awake)

        epoch, received = (await awake[0].sees())["epoch"], await crew.provider.calls()
        woken_s = time.monotonic()
        sleeper.process.resume()
        believed = await believed_s(sleeper, epoch)
        assert believed < woken_s + POLL_S
        await asyncio.sleep(POLL_S)
        records = await crew.unload([sleeper])
        late = [record for record in records if (record["sent_s"] or 0.0) > believed]
        assert not late, "it called although it knew better"
        assert len(records) > CALLS_PER_S * POLL_S / 2, "it was meant to be asked all the while"
        print({"believed after": believed - woken_s, "calls until then": await crew.provider.calls() - received})
        assert await crew.provider.calls() - received <= CALLS_PER_S * (believed - woken_s) + 1
        await crew.never_went_back()


async def believed_s(member: Member, epoch: int) -> float:
    """When it first believed that epoch (monotonic seconds)."""
    ends_s = time.monotonic() + 4 * POLL_S
    while True:
        beliefs = await member.ask("beliefs")
        if moments := [at_s for at_s, known, _ in beliefs if known == epoch]:
            return float(moments[0])
        assert time.monotonic() < ends_s, f"it never believed {epoch}: {beliefs}"
        await asyncio.sleep(0.01)
