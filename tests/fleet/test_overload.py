"""Ten times more questions than one replica can answer."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.fleet.processes import Controls, Provider, Replica, StandingFleet, until_ready

pytestmark = [pytest.mark.fleet, pytest.mark.faults, pytest.mark.timeout(300)]

LATENCY_S = 0.2
AT_A_TIME = 64
PASSES_PER_S = AT_A_TIME / (2 * LATENCY_S)
"""A question takes two calls of the provider, one after the other."""

LASTS_S = 60
BOUND_MS = 4 * 2 * LATENCY_S * 1000
"""Of an accepted question's p99: four times what the services themselves take."""

REFUSED_MS = 250
MORE_MEMORY = 40 * 2**20
CONFIGURATION = """
[server]
max_concurrent = {at_a_time}

[index]
path = "{index}"

[[embedders]]
name = "primary"
kind = "openai"
base_url = "{provider}/v1"
model = "text-embedding-3-small"
dimension = 256
timeout_s = 5.0

[[generators]]
name = "primary"
kind = "openai"
base_url = "{provider}/v1"
model = "gpt-4o-mini"
timeout_s = 10.0
"""


@pytest.fixture
async def replica(standing_fleet: StandingFleet, tmp_path: Path) -> AsyncIterator[Replica]:
    """One replica over a provider of its own that takes 200 ms for every call."""
    provider = Provider(tmp_path, "--latency-ms", str(1000 * LATENCY_S))
    standing_fleet.copy_index(tmp_path / "index")
    config = tmp_path / "ha_rag.toml"
    config.write_text(
        CONFIGURATION.format(at_a_time=AT_A_TIME, index=tmp_path / "index", provider=provider.url), encoding="utf-8"
    )
    replica = Replica("rag-1", tmp_path, config)
    provider.start()
    replica.start()
    try:
        async with aiohttp.ClientSession() as session:
            replica.reached_by(session)
            await until_ready(Controls(provider.url, session).answers, provider)
            await until_ready(replica.ready, replica)
            yield replica
    finally:
        replica.stop()
        provider.stop()


async def asked(replica: Replica, per_s: float, for_s: float) -> dict[str, Any]:
    """What became of so many questions a second, asked by a process of its own."""
    command = ["-m", "ha_rag.simulation.load", "--url", replica.url, "--per-s", str(per_s), "--for", str(for_s)]
    load = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    out, _ = await load.communicate()
    return dict(json.loads(out))


async def memory(replica: Replica, seconds: float) -> list[int]:
    """The replica's resident memory, twice a second."""
    process, seen = psutil.Process(replica.pid), []
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + seconds
    while loop.time() < ends_s:
        seen.append(process.memory_info().rss)
        await asyncio.sleep(0.5)
    return seen


async def test_accepted_questions_keep_their_time_the_rest_is_refused_at_once_and_memory_stays_flat(replica):
    calm = await asked(replica, PASSES_PER_S / 4, 5)
    assert calm["failed"] == 0

    load = asyncio.create_task(asked(replica, 10 * PASSES_PER_S, LASTS_S))
    resident = await memory(replica, LASTS_S)
    async with asyncio.timeout(1.0):  # while it is full, whoever has to find out why still gets an answer
        assert (await replica.health())["status"] in ("ok", "degraded")
    overloaded = await load
    after = await asked(replica, PASSES_PER_S / 4, 5)

    print(f"calm {calm['ms']}; accepted {overloaded['per_s']}/s {overloaded['ms']};")
    print(f"refused {overloaded['failures']} {overloaded['failed_ms']}; after {after['ms']}")
    print(f"memory {resident[len(resident) // 4] >> 20} to {max(resident) >> 20} MiB")
    assert set(overloaded["failures"]) == {"HTTP 503"}
    assert overloaded["answered"] >= 0.5 * PASSES_PER_S * LASTS_S
    assert overloaded["ms"]["p99"] <= BOUND_MS
    assert overloaded["failed_ms"]["p99"] <= REFUSED_MS
    assert max(resident) - resident[len(resident) // 4] <= MORE_MEMORY
    assert after["failed"] == 0
    assert after["ms"]["p99"] <= 1.5 * calm["ms"]["p99"]
