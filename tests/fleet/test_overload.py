"""Ten times more questions than one replica can answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression
from typing import Any

import aiohttp
import psutil
import pytest

from tests.fleet.processes import Controls, Provider, Replica, StandingFleet, until_ready
from tests.redis_servers import RedisProcess

pytestmark = [pytest.mark.fleet, pytest.mark.faults, pytest.mark.timeout(300)]

LATENCY_S = 0.2
AT_A_TIME = 64
PASSES_PER_S = AT_A_TIME / (2 * LATENCY_S)
"""A question takes two calls of the provider, one after the other."""

LASTS_S = 60
SERVICES_MS = 1000 * 2 * LATENCY_S
"""What a question takes where nothing makes it wait."""

BOUND_MS = SERVICES_MS + AT_A_TIME * 3
"""Of an accepted question's p99. None waits for another's turn at a service; in the replica it waits for its work on as
many others as may be there, 3 ms each."""

REFUSED_MS = 1000 * LATENCY_S / 2
"""Of a refusal's p99, before a service could have answered once; half of them come in a tenth of that."""

TURNS = 6
"""How often a question waits for a process to be given the processor: twice the asker, twice the replica's services,
and the replica in between. Each time it may be kept waiting by whatever else the machine does, which is measured."""

MORE_MEMORY = 24 * 2**20
"""Above what it had before, once: for a thousand connections and what is under way on them."""

LEAK = 64 * 10 * PASSES_PER_S
"""Bytes a second: 64 for each question that is asked. So little could be kept of it and not show."""

SAMPLE_S = 0.5
CIRCUITS = ("embedder.primary", "generator.primary")
FULL = "503 overloaded, again after 1 s"
CONFIGURATION = """
[fleet]
redis_url = "{redis}"

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
    redis, provider = RedisProcess(tmp_path), Provider(tmp_path, "--latency-ms", str(1000 * LATENCY_S))
    standing_fleet.copy_index(tmp_path / "index")
    config = tmp_path / "ha_rag.toml"
    places = {"redis": redis.url, "index": tmp_path / "index", "provider": provider.url}
    config.write_text(CONFIGURATION.format(at_a_time=AT_A_TIME, **places), encoding="utf-8")
    replica = Replica("rag-1", tmp_path, config)
    redis.start()
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
        redis.kill()


async def asked(replica: Replica, per_s: float, for_s: float) -> dict[str, Any]:
    """What became of so many questions a second, asked by a process of its own."""
    command = ["-m", "tests.fleet.flood", replica.url.rpartition(":")[2], str(per_s), str(for_s)]
    flood = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    out, _ = await flood.communicate()
    return dict(json.loads(out))


@dataclass(eq=False)
class Watch:
    """A replica seen from outside, twice a second: its resident memory, and how long /health took to answer."""

    memory: list[int] = field(default_factory=list)
    health_ms: list[float] = field(default_factory=list)

    async def keep(self, replica: Replica) -> None:
        process = psutil.Process(replica.pid)
        while True:
            self.memory.append(process.memory_info().rss)
            began_s = time.monotonic()
            assert (await replica.health())["status"] in ("ok", "degraded")
            self.health_ms.append(1000 * (time.monotonic() - began_s))
            await asyncio.sleep(SAMPLE_S)

    def grows_a_s(self, last_s: float) -> float:
        """Bytes a second, of the straight line through the last samples."""
        seen = self.memory[-int(last_s / SAMPLE_S) :]
        return linear_regression([SAMPLE_S * n for n in range(len(seen))], seen).slope


@asynccontextmanager
async def watched(replica: Replica) -> AsyncIterator[Watch]:
    watch = Watch()
    watching = asyncio.create_task(watch.keep(replica))
    yield watch
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching  # what it met on the way is raised here


async def believed(replica: Replica, circuit: str) -> tuple[str, int, Any]:
    seen = await replica.circuit(circuit)
    return seen["state"], seen["epoch"], seen["here"]


def told(asked: dict[str, Any]) -> str:
    return f"{asked['became']} {asked['ms']}, sent late {asked['late_ms']}, {asked['core_s']:.1f} s of a core to ask"


async def test_accepted_questions_keep_their_time_the_rest_is_refused_at_once_and_memory_stays_flat(replica):
    calm = await asked(replica, PASSES_PER_S / 4, 5)
    before = psutil.Process(replica.pid).memory_info().rss
    circuits = [await believed(replica, name) for name in CIRCUITS]
    async with watched(replica) as watch:
        overloaded = await asked(replica, 10 * PASSES_PER_S, LASTS_S)
    after = await asked(replica, PASSES_PER_S / 4, 5)

    more, grows = max(watch.memory) - before, watch.grows_a_s(LASTS_S - 20)
    print(f"calm {told(calm)}", f"overloaded {told(overloaded)}", f"after {told(after)}", sep="\n")
    print(f"memory {before >> 20} MiB and {more >> 20} more, {grows / 2**10:.1f} KiB a second at last")
    print(f"health at most {max(watch.health_ms):.0f} ms, {len(watch.health_ms)} times")

    assert overloaded["asked"] >= 0.9 * 10 * PASSES_PER_S * LASTS_S
    assert set(overloaded["became"]) == {"200", FULL}
    late_ms = overloaded["late_ms"]["p99"]
    accepted_ms, refused_ms = overloaded["ms"]["200"], overloaded["ms"][FULL]
    most = PASSES_PER_S * LASTS_S + AT_A_TIME  # were there never more at a time, since none takes less
    assert 0.9 * most <= overloaded["became"]["200"] <= most
    assert accepted_ms["p99"] <= BOUND_MS + TURNS * late_ms
    assert refused_ms["p99"] <= REFUSED_MS + TURNS * late_ms
    assert refused_ms["p50"] <= REFUSED_MS / 10
    assert len(watch.health_ms) >= LASTS_S
    assert max(watch.health_ms) <= 1000, "whoever has to find out why still gets an answer"
    assert more <= MORE_MEMORY
    assert grows <= LEAK
    assert set(calm["became"]) == set(after["became"]) == {"200"}
    assert after["ms"]["200"]["p99"] <= 1.5 * calm["ms"]["200"]["p99"], "at once, and for 5 s"
    assert [await believed(replica, name) for name in CIRCUITS] == circuits
