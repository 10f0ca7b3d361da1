"""A service that fails a fifth of its calls; one that has just come back; and calls that are tried again."""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fleet.processes import Controls, Provider, Replica, StandingFleet, until_ready
from tests.redis_servers import RedisProcess

pytestmark = [pytest.mark.fleet, pytest.mark.faults, pytest.mark.timeout(240)]

CONFIGURATION = """
[fleet]
redis_url = "{redis}"

[index]
path = "{index}"

[[embedders]]
name = "local"
kind = "hashing"

[[retrievers]]
name = "lexical"
kind = "lexical"

[[generators]]
name = "primary"
kind = "openai"
base_url = "{provider}/v1"
model = "gpt-4o-mini"
timeout_s = 2.0
[generators.circuit]
{circuit}

[[generators]]
name = "extractive"
kind = "extractive"
"""

CIRCUIT = "generator.primary"


class Shop:
    """A fleet with a provider and a Redis of its own, and questions asked of it."""

    def __init__(self, replicas: list[Replica], provider: Controls) -> None:
        self.replicas, self.provider = replicas, provider

    async def asked(self, per_s: float, for_s: float) -> int:
        """Asks so many a second of all replicas together, by a process each; how many it were. All are answered."""
        return sum((await self.asked_each(per_s, for_s)).values())

    async def asked_each(self, per_s: float, for_s: float) -> dict[str, int]:
        """The same by replica."""
        each = [_load(replica.url, per_s / len(self.replicas), for_s) for replica in self.replicas]
        tallies = await asyncio.gather(*each)
        assert sum(tally["failed"] for tally in tallies) == 0, tallies
        return {replica.name: tally["asked"] for replica, tally in zip(self.replicas, tallies, strict=True)}

    async def received_from(self) -> Counter[str]:
        """How many calls the service has received from each replica."""
        return Counter(arrival["replica"] for arrival in await self.provider.arrivals())

    async def reached(self, per_s: float, for_s: float) -> float:
        """The share of questions asked that reached the service."""
        before = await self.provider.calls()
        asked = await self.asked(per_s, for_s)
        return (await self.provider.calls() - before) / asked

    async def until(self, state: str) -> None:
        """Returns once every replica says so."""
        async with asyncio.timeout(30):
            while {(await replica.circuit(CIRCUIT))["state"] for replica in self.replicas} != {state}:
                await asyncio.sleep(0.01)


async def _load(url: str, per_s: float, for_s: float) -> dict[str, Any]:
    command = ["-m", "ha_rag.simulation.load", "--url", url, "--per-s", str(per_s), "--for", str(for_s)]
    load = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    out, _ = await load.communicate()
    return dict(json.loads(out))


ShopOf = Callable[..., Any]


@pytest.fixture
def shop_of(standing_fleet: StandingFleet, tmp_path: Path) -> ShopOf:
    """Opens shops: `async with shop_of("ramp_s = 8.0") as shop`."""

    @asynccontextmanager
    async def opened(circuit: str, replicas: int = 3) -> AsyncIterator[Shop]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        redis, provider = RedisProcess(folder), Provider(folder)
        standing_fleet.copy_index(folder / "index")
        config = folder / "ha_rag.toml"
        config.write_text(
            CONFIGURATION.format(redis=redis.url, index=folder / "index", provider=provider.url, circuit=circuit)
        )
        crew = [Replica(f"rag-{n}", folder, config) for n in range(1, replicas + 1)]
        redis.start()
        provider.start()
        for replica in crew:
            replica.start()
        try:
            async with aiohttp.ClientSession() as session:
                controls = Controls(provider.url, session)
                await until_ready(controls.answers, provider)
                for replica in crew:
                    replica.reached_by(session)
                    await until_ready(replica.ready, replica)
                yield Shop(crew, controls)
        finally:
            for replica in crew:
                replica.stop()
            provider.stop()
            redis.kill()

    return opened


# ---- brownout -------------------------------------------------------------------------------------------------------


async def _refused(shop: Shop) -> tuple[float, float]:
    """The share refused while a fifth of all calls fails, for 60 s, and in the 20 s after it."""
    await shop.provider.fail("chat", rate=0.2)
    during = 1 - await shop.reached(30, 60)
    await shop.provider.mend()
    return during, 1 - await shop.reached(30, 20)


WINDOW = "min_samples = 20\nwindow_s = 10.0"
"""Of these circuits: one that fits twenty timeouts of 2 s would remember the brownout for 42 s."""


async def test_in_a_brownout_shedding_refuses_in_proportion_where_a_plain_breaker_refuses_most_or_nothing(shop_of):
    async with AsyncExitStack() as stack:
        # At the default threshold a plain breaker does not notice; at one that lets it notice it refuses most.
        numb = await stack.enter_async_context(shop_of(WINDOW, 2))
        plain = await stack.enter_async_context(shop_of(f"failure_threshold = 0.15\n{WINDOW}", 2))
        shedding = await stack.enter_async_context(shop_of(f"shed = true\n{WINDOW}", 2))

        refused = await asyncio.gather(*map(_refused, (numb, plain, shedding)))

    (numb_during, numb_after), (plain_during, plain_after), (during, after) = refused
    print(f"refused during and after 60 s of 20 % errors: at the default threshold {numb_during:.1%} {numb_after:.1%};")
    print(f"plain {plain_during:.1%} {plain_after:.1%}; shedding {during:.1%} {after:.1%}")
    assert (numb_during, numb_after) == (0, 0)
    assert plain_during > 0.5
    # 1 - 1.1 * 0.8 = 12 %, and the noise of a window of 300 calls.
    assert 0.05 < during < 0.2
    assert after < 0.05
    assert after < plain_after


# ---- ramp -----------------------------------------------------------------------------------------------------------

RAMP_S = 10.0
PER_S = 120.0
SHARES = (0.1, 0.25, 0.5, 1.0)
A_QUARTER = PER_S * RAMP_S / 4


async def _shares_after_closing(shop: Shop) -> list[float]:
    """Of the questions asked in each quarter of the ramp's time after closing, the share that the service received."""
    await shop.provider.fail("chat")
    asking = asyncio.create_task(shop.asked(PER_S, 22))
    await shop.until("open")
    await shop.provider.mend()
    await shop.until("closed")
    # Redis runs on this machine, so its clock and that of the arrivals differ by what this machine's two clocks do.
    closed_at = (await shop.replicas[0].circuit(CIRCUIT))["changed_at"]
    closed_ms = 1000 * (closed_at - time.time() + time.monotonic())
    await asking
    quarter_ms = RAMP_S * 250
    at_ms = [arrival["monotonic_ms"] - closed_ms for arrival in await shop.provider.arrivals()]
    received = [sum(n * quarter_ms <= at < (n + 1) * quarter_ms for at in at_ms) for n in range(4)]
    return [count / A_QUARTER for count in received]


def _noise(share: float) -> float:
    """Lots are drawn call by call, so what passes is binomial: 3.5 sigma, which one run of 700 exceeds by chance.

    (Three shares are drawn.) Where all pass, the edges of a quarter leave 3 %: 60 ms at either end.
    """
    return max(0.03, 3.5 * math.sqrt(share * (1 - share) / A_QUARTER))


async def test_after_closing_the_service_receives_a_growing_share_of_the_whole_fleets_questions(shop_of):
    rest = "recovery_timeout_s = 3.0"
    async with shop_of(f"{rest}\nramp_s = {RAMP_S}") as shop:
        with_ramp = await _shares_after_closing(shop)
    async with shop_of(rest) as shop:
        without = await _shares_after_closing(shop)

    print("received in the quarters of the ramp: " + ", ".join(f"{share:.0%}" for share in with_ramp), end="; ")
    print("without a ramp: " + ", ".join(f"{share:.0%}" for share in without))
    for received, share in zip(with_ramp, SHARES, strict=True):
        assert received == pytest.approx(share, abs=_noise(share))
    assert without == pytest.approx([1.0] * 4, abs=_noise(1.0))


# ---- retries --------------------------------------------------------------------------------------------------------


SAVED_S = 10.0
"""A budget that nobody drew on holds what so many seconds bring in (decision 0005)."""


async def test_retries_are_at_most_a_fifth_of_each_replicas_calls_and_one_a_second(shop_of):
    async with shop_of("retries = 2\nfailure_threshold = 0.9\nmin_samples = 1000") as shop:
        await shop.provider.fail("chat", rate=0.1)
        few = await shop.reached(60, 10)  # far less than the budget allows, so it is saved up meanwhile
        await shop.provider.fail("chat", rate=0.8)
        before, began_s = await shop.received_from(), time.monotonic()
        asked = await shop.asked_each(60, 15)
        lasted_s = time.monotonic() - began_s
        received = await shop.received_from() - before

    retries = {name: received[name] - asked[name] for name in asked}
    budgets = {name: calls / 5 + lasted_s for name, calls in asked.items()}
    print(
        f"calls a question: {few:.2f} with 10 % errors; with 80 % {retries} retries of {budgets} and {SAVED_S:g} saved"
    )
    assert few == pytest.approx(1.11, abs=0.06)
    for name, budget in budgets.items():
        assert budget - 2 <= retries[name] <= budget + SAVED_S, "all of it is used, and no more"


async def test_once_the_circuit_is_open_nothing_is_tried_again(shop_of):
    async with shop_of("retries = 2\nretry_budget = 1.0\nretry_budget_per_s = 10.0") as shop:
        await shop.provider.fail("chat")
        await asyncio.gather(shop.until("open"), shop.asked(30, 3))
        before = await shop.provider.calls()
        asked = await shop.asked(30, 4)
        while_open = await shop.provider.calls() - before

    print(f"while open {while_open} calls for {asked} questions")
    assert while_open <= 2
