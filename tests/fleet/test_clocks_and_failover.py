"""Clocks that jump, and a Redis that fails over to a copy. Invariants 1, 5 and 8."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.conftest import require_redis_binary
from tests.fleet.crew import LEASE_S, LONG_REST, LONG_REST_S, REST_S, TIGHT_S, TIMEOUT_S, Crew, CrewOf, Member, Yard
from tests.ports import free_port
from tests.redis_servers import RedisProcess

LAST_OF_A_REST_S = 0.2
"""Until so shortly before its end a rest is watched."""

DOWN_AFTER_MS = 1000
COPIED_S = 5.0
FAILOVER_S = 10.0
OUTLASTS_S = 10.0
"""A rest that is still under way when the copy has taken the master's place."""
TAKEN_BACK_S = 30.0
"""Within this time sentinels make a master that came back a copy; after ten seconds, as a rule."""

SAME_REST = {"recovery_timeout_max_s": REST_S}


@pytest.mark.parametrize("shift", ["+1h", "-1h"])
async def test_a_replica_whose_clock_is_an_hour_off_shares_circuits_like_any_other(yard: Yard, shift: str):
    # Python's monotonic clock is told by the same library call: it must go on as it does for everybody.
    wrong = yard.workers.start_one(require_faketime(), "-f", shift, FAKETIME_DONT_FAKE_MONOTONIC="1")
    try:
        async with yard.crew(3, processes=[wrong], policy=LONG_REST) as crew:
            astray, *others = crew.members
            wrong_s, right_s = await astray.ask("clock"), await others[0].ask("clock")
            assert abs(abs(wrong_s["unix_s"] - right_s["unix_s"]) - 3600) < 60, "its clock was meant to be wrong"
            assert abs(wrong_s["monotonic_s"] - right_s["monotonic_s"]) < 60
            began_s = time.monotonic()
            await crew.open()
            seen = [await member.sees() for member in crew]
            assert {one["opened_by"] for one in seen} == {astray.incarnation}
            assert all(0 < one["left_ms"] <= 1000 * LONG_REST_S for one in seen)
            await rests_and_is_closed_by([astray], crew, began_s)

            await crew.provider.fail("chat")
            await crew.until("open", within_s=2.0, calling=True, members=others[:1])
            await crew.until("open", within_s=0.5)
            await crew.never_went_back()
    finally:
        wrong.stop()


@pytest.mark.parametrize("jump_s", [3600, -3600], ids=["an hour ahead", "an hour back"])
async def test_a_clock_that_jumps_while_the_circuit_is_open_ends_no_rest_early_and_none_late(
    yard: Yard, tmp_path: Path, jump_s: int
):
    clock = tmp_path / "clock"
    clock.write_text("+0")
    jumping = yard.workers.start_one(
        LD_PRELOAD=faketime_library(), FAKETIME_TIMESTAMP_FILE=str(clock), FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )  # fmt: skip
    try:
        async with yard.crew(3, processes=[jumping], policy=LONG_REST) as crew:
            astray, *others = crew.members
            began_s = time.monotonic()
            await crew.open()
            before = await astray.ask("clock")
            clock.write_text(f"{jump_s:+d}")
            after = await astray.ask("clock")
            jumped_s = after["unix_s"] - before["unix_s"] - (after["monotonic_s"] - before["monotonic_s"])
            assert jumped_s == pytest.approx(jump_s, abs=5), "its clock was meant to jump"
            await rests_and_is_closed_by([astray], crew, began_s)

            await crew.provider.fail("chat")
            clock.write_text("+0")
            began_s = time.monotonic()
            await crew.until("open", within_s=2.0, calling=True, members=[astray])
            await crew.until("open", within_s=0.5)
            await rests_and_is_closed_by(others, crew, began_s)
            await crew.never_went_back()
    finally:
        jumping.stop()


async def rests_and_is_closed_by(callers: list[Member], crew: Crew, opened_s: float) -> None:
    """The service is well again. Nobody's rest ends early, and theirs not late. `opened_s`: not after it opened."""
    await crew.provider.mend()
    ends_s = opened_s + LONG_REST_S
    told = await crew.refused_until(ends_s - LAST_OF_A_REST_S)
    off_s = [told_s - ends_s for told_s in told]
    assert max(map(abs, off_s)) < TIGHT_S, f"the rest was said to end that much too late, or too early: {off_s}"
    within_s = LAST_OF_A_REST_S + TIMEOUT_S
    await crew.until("closed", within_s, calling=True, members=callers, slack_s=TIGHT_S)
    await crew.until("closed", within_s=1.0)


def require_faketime() -> str:
    """The faketime program; a test that needs it skips without it, and fails without it in CI."""
    binary = shutil.which("faketime")
    if binary is None:
        reason = "no faketime on the PATH (apt-get install faketime)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return binary


def faketime_library() -> str:
    """What the faketime program loads into the processes that it starts."""
    told = subprocess.run([require_faketime(), "-f", "+0", "env"], capture_output=True, text=True, check=True).stdout
    return next(line.partition("=")[2] for line in told.splitlines() if line.startswith("LD_PRELOAD="))


class Sentinels:
    """Three sentinels on loopback, which watch one master and its copy."""

    def __init__(self, folder: Path, master: RedisProcess) -> None:
        self.ports = [free_port() for _ in range(3)]
        self._processes = [self._start(folder, port, master.port) for port in self.ports]

    @property
    def url(self) -> str:
        return "redis+sentinel://" + ",".join(f"127.0.0.1:{port}" for port in self.ports) + "/mine"

    def master(self) -> int:
        """The port of whom they hold for the master."""
        with redis.Redis(port=self.ports[0], decode_responses=True) as client:
            return int(client.sentinel_get_master_addr_by_name("mine")[1])

    def know_each_other(self) -> bool:
        with redis.Redis(port=self.ports[0], decode_responses=True) as client:
            told = client.sentinel_master("mine")
            return bool(told["num-other-sentinels"] == 2 and told["num-slaves"] == 1)

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    @staticmethod
    def _start(folder: Path, port: int, master: int) -> subprocess.Popen[bytes]:
        file = folder / f"sentinel-{port}.conf"
        file.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor mine 127.0.0.1 {master} 2\n"
            f"sentinel down-after-milliseconds mine {DOWN_AFTER_MS}\nsentinel failover-timeout mine 5000\n"
        )
        return subprocess.Popen(
            [require_redis_binary(), str(file), "--sentinel"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """A master with a copy, and sentinels that know of both."""

    master: RedisProcess
    copy: RedisProcess
    sentinels: Sentinels

    def is_up_to_date(self) -> bool:
        """Whether the copy has all that the master has written."""
        told, master = (self._replication(server) for server in (self.copy, self.master))
        return told["master_link_status"] == "up" and told["slave_repl_offset"] == master["master_repl_offset"]

    def leave_behind(self) -> None:
        """The copy hears nothing of the master from now on; it stands by with what it knows."""
        with redis.Redis.from_url(self.copy.url) as client:
            client.replicaof("127.0.0.1", str(free_port()))  # nobody there

    @staticmethod
    def _replication(server: RedisProcess) -> dict[str, Any]:
        with redis.Redis.from_url(server.url, decode_responses=True, socket_timeout=1.0) as client:
            return dict(client.info("replication"))

    async def until_failed_over(self) -> None:
        await until_true(lambda: self.sentinels.master() == self.copy.port, FAILOVER_S)

    async def until_old_master_is_a_copy(self) -> None:
        await until_true(lambda: self._replication(self.master)["role"] == "slave", TAKEN_BACK_S)


@asynccontextmanager
async def watched_pair(folder: Path) -> AsyncIterator[Pair]:
    # A master waits 5 s for further copies before it fills the first, unless told otherwise: an empty one took over.
    master, copy = RedisProcess(folder, options=("--repl-diskless-sync-delay", "0")), RedisProcess(folder)
    sentinels: Sentinels | None = None
    try:
        master.start()
        copy.start()
        with redis.Redis.from_url(copy.url) as client:
            client.replicaof("127.0.0.1", str(master.port))
        sentinels = Sentinels(folder, master)
        pair = Pair(master, copy, sentinels)
        await until_true(sentinels.know_each_other, 20.0)
        await until_true(pair.is_up_to_date, COPIED_S)
        yield pair
    finally:
        if sentinels is not None:
            sentinels.stop()
        master.kill()
        copy.kill()


async def until_true(condition: Callable[[], bool], within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while True:
            try:
                if await asyncio.to_thread(condition):
                    return
            except redis.RedisError:
                pass  # not there yet
            await asyncio.sleep(0.05)


async def test_the_circuit_works_on_when_sentinels_put_the_copy_in_the_masters_place(crew_of: CrewOf, tmp_path: Path):
    async with watched_pair(tmp_path) as pair, crew_of(3, redis_url=pair.sentinels.url, policy=SAME_REST) as crew:
        await crew.open()
        await until_true(pair.is_up_to_date, COPIED_S)
        pair.master.kill()
        await fails_over_while_the_service_is_down(crew, pair)
        await closes_and_opens(crew)


@pytest.mark.faults
async def test_a_frozen_master_that_wakes_up_after_the_failover_brings_no_old_belief_back(
    crew_of: CrewOf, tmp_path: Path
):
    async with watched_pair(tmp_path) as pair, crew_of(3, redis_url=pair.sentinels.url, policy=SAME_REST) as crew:
        await crew.open()
        await until_true(pair.is_up_to_date, COPIED_S)
        pair.master.pause()
        await fails_over_while_the_service_is_down(crew, pair)
        await closes_and_opens(crew)
        await crew.load(20)
        pair.master.resume()
        await pair.until_old_master_is_a_copy()
        await crew.unload()
        await crew.never_went_back()
        await crew.provider.mend()
        await crew.until("closed", within_s=REST_S + LEASE_S, calling=True)


async def fails_over_while_the_service_is_down(crew: Crew, pair: Pair) -> list[dict[str, Any]]:
    """Everybody calls all the while, and nobody probes too often. Answers what reached the service."""
    received = await crew.provider.calls()
    await crew.load(10)
    await pair.until_failed_over()
    await crew.until_shared(within_s=5.0)
    records = await crew.unload()
    assert {record["outcome"] for record in records} <= {"refused", "failed"}
    arrivals = await crew.arrivals_since(received)
    for member in crew:
        alone = await probed_alone(member, arrivals)
        assert all(later - earlier >= REST_S for earlier, later in pairwise(alone)), f"{member.name}, alone: {alone}"
    return arrivals


async def probed_alone(member: Member, arrivals: list[dict[str, Any]]) -> list[float]:
    """When its calls reached the service between the loss of Redis and its return (monotonic seconds)."""
    lost = [event["told_s"] for event in await member.events("LedgerLost") if not event["circuit"]]
    back = [event["told_s"] for event in await member.events("LedgerBack")]
    assert len(lost) == len(back), "it was meant to share again"
    probes = [arrival["monotonic_ms"] / 1000 for arrival in arrivals if arrival["replica"] == member.name]
    return [at for at in probes if any(from_s < at < to_s for from_s, to_s in zip(lost, back, strict=True))]


async def closes_and_opens(crew: Crew) -> None:
    """As any circuit does, for all."""
    await crew.provider.mend()
    await crew.until("closed", within_s=REST_S + LEASE_S, calling=True)
    await crew.provider.fail("chat")
    await crew.fail_until_open(within_s=2.0)
    await crew.never_went_back()


async def test_a_copy_that_never_heard_of_the_opening_is_taught_it_and_the_rest_goes_on(
    crew_of: CrewOf, tmp_path: Path
):
    longer = {"recovery_timeout_s": OUTLASTS_S, "recovery_timeout_max_s": OUTLASTS_S}
    async with watched_pair(tmp_path) as pair, crew_of(3, redis_url=pair.sentinels.url, policy=longer) as crew:
        pair.leave_behind()
        began_s = time.monotonic()
        await crew.open()
        epoch = (await crew.members[0].sees())["epoch"]
        received = await crew.provider.calls()
        pair.master.kill()
        await crew.provider.mend()
        await pair.until_failed_over()
        await crew.until_shared(within_s=5.0, above=epoch)
        seen = [await member.sees() for member in crew]
        assert {(one["fleet"], one["open_count"]) for one in seen} == {("open", 1)}, seen
        assert all(0 < one["left_ms"] < 1000 * (began_s + OUTLASTS_S + TIGHT_S - time.monotonic()) for one in seen)
        await crew.refused_until(began_s + OUTLASTS_S - LAST_OF_A_REST_S)
        assert await crew.provider.calls() == received
        await crew.until("closed", within_s=LAST_OF_A_REST_S + TIMEOUT_S, calling=True, slack_s=TIGHT_S)
        await crew.never_went_back()


@pytest.mark.parametrize("behind", [False, True], ids=["the copy knows", "the copy never heard of it"])
async def test_a_failover_during_a_probe_closes_nothing_without_another_one(
    crew_of: CrewOf, tmp_path: Path, behind: bool
):
    async with watched_pair(tmp_path) as pair, crew_of(3, redis_url=pair.sentinels.url, policy=SAME_REST) as crew:
        if behind:
            pair.leave_behind()
        await crew.open_to_half_open()
        probing = await crew.begin_probe(crew.members[0])
        if not behind:
            await until_true(pair.is_up_to_date, COPIED_S)
        pair.master.kill()
        assert await probing == "failed"
        await crew.provider.fail("chat")
        arrivals = await fails_over_while_the_service_is_down(crew, pair)
        assert all([await probed_alone(member, arrivals) for member in crew]), "each was meant to probe alone"
        assert all(after != "closed" for _, after in await crew.changes())
        await closes_and_opens(crew)


async def test_no_call_fails_while_a_healthy_fleets_redis_fails_over(crew_of: CrewOf, tmp_path: Path):
    async with watched_pair(tmp_path) as pair, crew_of(2, redis_url=pair.sentinels.url) as crew:
        await crew.load(20)
        await asyncio.sleep(0.5)
        pair.master.kill()
        await pair.until_failed_over()
        await crew.until_shared(within_s=5.0)
        assert {record["outcome"] for record in await crew.unload()} == {"ok"}
        lost = [await member.events("LedgerLost") for member in crew]
        assert all(lost), "the failover was meant to be noticed"
