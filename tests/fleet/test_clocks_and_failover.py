"""Clocks that jump, and a Redis that fails over to a copy. Invariants 1, 5 and 8."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis

from tests.conftest import require_redis_binary
from tests.fleet.crew import LEASE_S, REST_S, TIMEOUT_S, CrewOf, Yard
from tests.ports import free_port
from tests.redis_servers import RedisProcess

DOWN_AFTER_MS = 1000
FAILOVER_S = 10.0


@pytest.mark.parametrize("shift", ["+1h", "-1h"])
async def test_a_replica_whose_clock_is_an_hour_off_shares_circuits_like_any_other(yard: Yard, shift: str):
    binary = shutil.which("faketime")
    if binary is None:
        pytest.skip("no faketime on the PATH (apt-get install faketime)")
    # Python's monotonic clock is told by the same library call: it must go on as it does for everybody.
    wrong = yard.workers.start_one(binary, "-f", shift, FAKETIME_DONT_FAKE_MONOTONIC="1")
    try:
        async with yard.crew(3, processes=[wrong]) as crew:
            astray, *others = crew.members
            wrong_s, right_s = await astray.ask("clock"), await others[0].ask("clock")
            assert abs(abs(wrong_s["unix_s"] - right_s["unix_s"]) - 3600) < 60, "its clock was meant to be wrong"
            assert abs(wrong_s["monotonic_s"] - right_s["monotonic_s"]) < 60
            await crew.open()
            seen = [await member.sees() for member in crew]
            assert {one["opened_by"] for one in seen} == {astray.incarnation}
            assert all(0 < one["left_ms"] <= 1000 * REST_S for one in seen)
            await crew.provider.mend()
            took_s = await crew.until("closed", within_s=REST_S + TIMEOUT_S, calling=True)
            assert took_s > REST_S / 2, "nobody ended the rest early"

            await crew.provider.fail("chat")
            await others[0].call(6)
            await crew.until("open", within_s=0.5)
            await crew.provider.mend()
            await crew.until("closed", within_s=2 * REST_S + TIMEOUT_S, calling=True, members=[astray])
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
        async with yard.crew(3, processes=[jumping]) as crew:
            astray, *others = crew.members
            await crew.open()
            before = await astray.ask("clock")
            clock.write_text(f"{jump_s:+d}")
            after = await astray.ask("clock")
            jumped_s = after["unix_s"] - before["unix_s"] - (after["monotonic_s"] - before["monotonic_s"])
            assert jumped_s == pytest.approx(jump_s, abs=5), "its clock was meant to jump"
            await crew.provider.mend()
            took_s = await crew.until("closed", within_s=REST_S + TIMEOUT_S, calling=True, members=[astray])
            assert took_s > REST_S / 2, "nobody ended the rest early"
            await crew.until("closed", within_s=1.0)

            await crew.provider.fail("chat")
            clock.write_text("+0")
            await astray.call(6)
            await crew.until("open", within_s=0.5)
            await crew.provider.mend()
            await crew.until("closed", within_s=2 * REST_S + TIMEOUT_S, calling=True, members=others)
            await crew.never_went_back()
    finally:
        jumping.stop()


def faketime_library() -> str:
    """What the faketime program loads into the processes that it starts."""
    binary = shutil.which("faketime")
    if binary is None:
        pytest.skip("no faketime on the PATH (apt-get install faketime)")
    told = subprocess.run([binary, "-f", "+0", "env"], capture_output=True, text=True, check=True).stdout
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


@asynccontextmanager
async def watched_pair(folder: Path) -> AsyncIterator[tuple[RedisProcess, Sentinels]]:
    """A master with a copy, and sentinels that know of both."""
    master, copy = RedisProcess(folder), RedisProcess(folder)
    sentinels: Sentinels | None = None
    try:
        master.start()
        copy.start()
        with redis.Redis.from_url(copy.url) as client:
            client.replicaof("127.0.0.1", str(master.port))
        sentinels = Sentinels(folder, master)
        await until_true(sentinels.know_each_other, 20.0)
        yield master, sentinels
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


FAULTS: Sequence[object] = [
    pytest.param(RedisProcess.kill, id="killed"),
    pytest.param(RedisProcess.pause, id="frozen", marks=pytest.mark.faults),
]


@pytest.mark.parametrize("end", FAULTS)
async def test_the_circuit_works_on_when_sentinels_put_the_copy_in_the_masters_place(
    crew_of: CrewOf, tmp_path: Path, end: Callable[[RedisProcess], None]
):
    longer = {"recovery_timeout_s": 4.0, "recovery_timeout_max_s": 4.0}
    async with (
        watched_pair(tmp_path) as (master, sentinels),
        crew_of(3, redis_url=sentinels.url, policy=longer) as crew,
    ):
        assert [await member.call() for member in crew.members[1:]] == [["ok"]] * 2
        await crew.open()
        received = await crew.provider.calls()
        end(master)
        await crew.load(10)
        await until_true(lambda: sentinels.master() != master.port, FAILOVER_S)
        await crew.until_shared(within_s=5.0)
        records = await crew.unload()
        assert {record["outcome"] for record in records} <= {"refused", "failed"}
        alone = await crew.provider.calls() - received
        await crew.provider.mend()
        await crew.until("closed", within_s=8.0 + LEASE_S, calling=True)
        await crew.provider.fail("chat")
        await crew.fail_until_open(within_s=2.0)
        print({"probes while Redis was away": alone})
        await crew.never_went_back()


async def test_no_call_fails_while_a_healthy_fleets_redis_fails_over(crew_of: CrewOf, tmp_path: Path):
    async with watched_pair(tmp_path) as (master, sentinels), crew_of(2, redis_url=sentinels.url) as crew:
        await crew.load(20)
        await asyncio.sleep(0.5)
        master.kill()
        await until_true(lambda: sentinels.master() != master.port, FAILOVER_S)
        await crew.until_shared(within_s=5.0)
        assert {record["outcome"] for record in await crew.unload()} == {"ok"}
        lost = [await member.events("LedgerLost") for member in crew]
        assert all(lost), "the failover was meant to be noticed"
