"""Replicas of 0.1.0 and of this version share one fleet for as long as a rollout, or its rollback, lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.fleet.crew import LEASE_S, REST_S, SLACK_S, TIMEOUT_S, Member, Pool, Yard
from tests.fleet.mixed_crew import MixedCrew, Version, copy_worker, mixed_crew
from tests.version_0_1_0 import REPOSITORY, Version010

pytestmark = pytest.mark.fleet

CrewOfVersions = Callable[..., AbstractAsyncContextManager[MixedCrew]]

WORKER = "tests.fleet.operator_worker"

MIXED: list[tuple[Version, ...]] = [("old", "old", "new"), ("old", "new", "new")]
STEPS: list[tuple[Version, ...]] = [
    ("old", "old", "old"), ("old", "old", "new"), ("old", "new", "new"), ("new", "new", "new"),
    ("new", "new", "old"), ("new", "old", "old"), ("old", "old", "old"),
]  # fmt: skip
"""A rollout, and its rollback."""

BOTH_WAYS: list[tuple[Version, Version]] = [("old", "new"), ("new", "old")]


@pytest.fixture(scope="session")
def pools(version_0_1_0: Version010, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Version, Pool]]:
    """Processes of either version, kept from test to test."""
    copy_worker(version_0_1_0.folder)
    both: dict[Version, Pool] = {
        "old": Pool(tmp_path_factory.mktemp("old"), WORKER, version_0_1_0.environment),
        "new": Pool(tmp_path_factory.mktemp("new"), WORKER),
    }
    yield both
    for pool in both.values():
        pool.stop()


@pytest.fixture
def crew_of_versions(yard: Yard, pools: dict[Version, Pool]) -> CrewOfVersions:
    """Makes crews of both versions; see `mixed_crew.py`."""
    return lambda *versions, **how: mixed_crew(yard, pools, versions, **how)


async def probe_and_close(mixed: MixedCrew, probers: list[Member]) -> None:
    """The rest is over, and the service is well: these probe in turn until the circuit is closed for all."""
    await mixed.crew.until("half_open", within_s=2 * REST_S * 1.1)
    for prober in probers:
        assert await mixed.crew.probe(prober) == "ok"
    await mixed.crew.until("closed", within_s=TIMEOUT_S)


async def test_each_replica_runs_the_version_that_it_stands_for(
    crew_of_versions: CrewOfVersions, version_0_1_0: Version010
) -> None:
    async with crew_of_versions("old", "new") as mixed:
        old, new = [Path(await member.ask("code")) for member in mixed.crew]
    assert old.is_relative_to(version_0_1_0.folder)
    assert new.is_relative_to(REPOSITORY)


@pytest.mark.faults
async def test_every_step_of_a_rollout_and_of_its_rollback_shares_one_circuit(
    crew_of_versions: CrewOfVersions,
) -> None:
    async with crew_of_versions(*STEPS[0]) as mixed:
        for step in STEPS:
            await mixed.deploy(*step)
            for version in sorted(set(step)):
                opener, before = mixed.first(version), len(await mixed.crew.changes())
                await mixed.open_by(opener)
                assert {(await member.call())[0] for member in mixed.crew} == {"refused"}
                await mixed.crew.provider.mend()
                others = [member for member in mixed.crew if member is not opener]
                await probe_and_close(mixed, others)
                # Who looked in between saw it half-open before the probe was granted.
                after = [to for _, to in (await mixed.crew.changes())[before:]]
                assert after == ["open", "half_open", "closed"]
                assert {(await member.call())[0] for member in mixed.crew} == {"ok"}
        assert await mixed.events("PolicyMismatch") == []
        assert await mixed.events("LedgerLost") == []


@pytest.mark.parametrize("versions", MIXED)
async def test_failures_spread_over_both_versions_that_each_saw_too_few_open_it(
    versions: tuple[Version, ...], crew_of_versions: CrewOfVersions
) -> None:
    async with crew_of_versions(*versions) as mixed:
        await mixed.crew.provider.fail("chat")
        for member in mixed.crew:
            assert await member.state() == "closed"
            assert await member.call() == ["failed"]
        await mixed.crew.until("open", within_s=1.0)


async def test_a_quorum_is_made_of_replicas_of_both_versions(crew_of_versions: CrewOfVersions) -> None:
    async with crew_of_versions("old", "new", policy={"quorum": 2}) as mixed:
        old, new = mixed.crew.members
        await mixed.crew.provider.fail("chat")
        await old.call(3)
        assert await mixed.crew.changes() == []
        await new.call(3)
        await mixed.crew.until("open", within_s=1.0)


@pytest.mark.parametrize(("prober", "other"), BOTH_WAYS)
async def test_one_replica_probes_at_a_time_and_its_failure_opens_the_circuit_for_both_versions_again(
    prober: Version, other: Version, crew_of_versions: CrewOfVersions
) -> None:
    async with crew_of_versions("old", "new") as mixed:
        crew = mixed.crew
        await mixed.open_by(mixed.first(other))
        await crew.until("half_open", within_s=REST_S)
        probing = await crew.begin_probe(mixed.first(prober))
        received = await crew.provider.calls()
        assert await mixed.first(other).call(5) == ["refused"] * 5
        assert await probing == "failed"
        await crew.until("open", within_s=TIMEOUT_S)
        assert await crew.provider.calls() == received
        assert [to for _, to in await crew.changes()] == ["open", "half_open", "open"]
        await crew.provider.mend()
        await probe_and_close(mixed, [mixed.first(other), mixed.first(prober)])
        # What the new version keeps of the probes must not keep the old one from opening again, nor the other way.
        await mixed.open_by(mixed.first(prober))


@pytest.mark.parametrize(("speaker", "other"), BOTH_WAYS)
async def test_a_forced_open_circuit_is_open_for_both_versions_until_either_ends_it(
    speaker: Version, other: Version, crew_of_versions: CrewOfVersions
) -> None:
    async with crew_of_versions("old", "new") as mixed:
        await mixed.first(speaker).ask("override", mode="open")
        await mixed.crew.until("open", within_s=0.5)
        assert [await member.call(2) for member in mixed.crew] == [["refused"] * 2] * 2
        await mixed.first(other).ask("end_override")
        await probe_and_close(mixed, [mixed.first(speaker), mixed.first(other)])
        overrides = [[event["mode"] for event in await m.events("OverrideChanged")] for m in mixed.crew]
        assert overrides == [["open", None]] * 2


@pytest.mark.parametrize(("speaker", "other"), BOTH_WAYS)
@pytest.mark.parametrize("mode", ["closed", "disabled", "shadow"])
async def test_an_override_keeps_both_versions_calling_a_broken_service_until_either_ends_it(
    speaker: Version, other: Version, mode: str, crew_of_versions: CrewOfVersions
) -> None:
    async with crew_of_versions("old", "new") as mixed:
        await mixed.open_by(mixed.first(other))
        await mixed.first(speaker).ask("override", mode=mode)
        await mixed.crew.until("closed", within_s=0.5)
        assert [await member.call(6) for member in mixed.crew] == [["failed"] * 6] * 2
        assert [await member.state() for member in mixed.crew] == ["closed"] * 2
        await mixed.first(other).ask("end_override")
        await mixed.crew.fail_until_open(within_s=1.0)


@pytest.mark.parametrize("speaker", ["old", "new"])
async def test_an_override_whose_time_is_up_ends_for_both_versions(
    speaker: Version, crew_of_versions: CrewOfVersions
) -> None:
    async with crew_of_versions("old", "new") as mixed:
        await mixed.first(speaker).ask("override", mode="open", for_s=1.0)
        await mixed.crew.until("open", within_s=0.5)
        await probe_and_close(mixed, [*mixed.crew])


async def test_a_circuit_that_a_streak_opens_is_open_for_the_old_version_too(
    crew_of_versions: CrewOfVersions,
) -> None:
    """0.1.0 does not know the word by which such an opening is told."""
    async with crew_of_versions("old", "old", "new", policy={"min_samples": 14, "failure_threshold": 0.9}) as mixed:
        new = mixed.first("new")
        assert await new.call(30) == ["ok"] * 30
        await mixed.crew.provider.fail("chat")
        await mixed.crew.load(40, [new])
        await mixed.crew.until("open", within_s=5.0)
        await mixed.crew.unload([new])
        for old in mixed.all_of("old"):
            (event,) = await old.events()
            assert (event["by"], event["to_state"]) == (new.incarnation, "open")
            assert "calls failed within" in event["reason"]
        await mixed.crew.provider.mend()
        await probe_and_close(mixed, mixed.all_of("old"))


async def test_a_new_replica_that_alone_cannot_reach_the_service_opens_for_itself_only(
    crew_of_versions: CrewOfVersions,
) -> None:
    """The successes of the old replicas are in no streak, so its failures are one by themselves."""
    async with crew_of_versions("old", "old", "new", wires=True) as mixed:
        crew, sick = mixed.crew, mixed.first("new")
        assert sick.to_provider is not None
        await crew.load(40)
        await asyncio.sleep(1.0)
        await sick.to_provider.set(refusing=True)
        await sick.to_provider.cut()
        await crew.until("open", within_s=5.0, members=[sick])
        await asyncio.sleep(1.0)
        assert (await sick.sees())["overlaid"]
        records = await crew.unload()
        assert await crew.changes() == []
        outcomes = [record["outcome"] for record in records if record["replica"] != sick.name]
        assert set(outcomes) == {"ok"}


@pytest.mark.parametrize("versions", MIXED)
async def test_a_redis_that_lost_its_memory_is_restored_by_both_versions(
    versions: tuple[Version, ...], crew_of_versions: CrewOfVersions
) -> None:
    async with crew_of_versions(*versions, policy={"recovery_timeout_s": 8.0, "recovery_timeout_max_s": 8.0}) as mixed:
        await mixed.open_by(mixed.first("old"))
        epoch = (await mixed.first("new").sees())["epoch"]
        await asyncio.to_thread(mixed.crew.redis.restart_empty)
        await mixed.crew.until_shared(within_s=LEASE_S, above=epoch)
        assert {await member.state() for member in mixed.crew} == {"open"}


@pytest.mark.parametrize("versions", MIXED)
async def test_equal_rules_are_no_drift_and_both_versions_see_the_whole_fleet(
    versions: tuple[Version, ...], crew_of_versions: CrewOfVersions
) -> None:
    """All carry one name: once everybody is told of that, everybody has looked at all heartbeats."""
    async with crew_of_versions(*versions, names=["twin"] * 3) as mixed:
        await mixed.open_by(mixed.first("old"))
        async with asyncio.timeout(2 * 5.0 + SLACK_S):
            while not all([await _knows_two_twins(member) for member in mixed.crew]):
                await asyncio.sleep(0.1)
        assert await mixed.events("PolicyMismatch") == []
        fleets = [await member.ask("fleet") for member in mixed.crew]
        assert [sorted(r["incarnation"] for r in fleet["replicas"]) for fleet in fleets] == [
            sorted(member.incarnation for member in mixed.crew)
        ] * 3
        reports = [await member.ask("circuits") for member in mixed.crew]
        told = [{key: report[key] for key in ("name", "state", "epoch", "reason")} for (report,) in reports]
        assert told == [told[0]] * 3


async def _knows_two_twins(member: Member) -> bool:
    return any(len(event["others"]) == 2 for event in await member.events("ReplicaNameTaken"))
