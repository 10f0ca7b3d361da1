"""Heartbeats that no replica sent: nearly valid ones, and secrets in whatever a client of Redis can write.

Whatever is forged, `/v1/fleet` and its siblings reply in a bounded size, and the sound replicas are still listed.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import fakeredis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ha_rag.breaker.fleet_observer import FleetObserver
from ha_rag.breaker.heartbeat import DriftDetector
from ha_rag.breaker.report import ReplicaReport
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.http.dashboard_app import build_dashboard_app
from ha_rag.http.service import DashboardService
from ha_rag.ledger.store.circuit_names import escaped
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.ledger.store.timeline import Place
from ha_rag.monitor.watcher import Watcher
from ha_rag.redaction import NOTHING_KNOWN, Redactor
from tests.depth import deep
from tests.http.app_client import AppClient

KEYS = Keys()
TERMS = Terms.of(CircuitPolicy())
LARGEST_REPLY = 200_000
"""Bytes for one forged heartbeat, which may be larger itself."""
SOUND = {
    "replica": "sound", "shared_state": "fresh", "version": "1", "questions": 5, "degraded": 1, "broken": 0,
    "served": {"generator.primary": 5}, "latencies": {"3": 5}, "in_flight": 1, "max_concurrent": 8,
    "circuits": [{"name": "cache", "state": "open", "scope": "replica", "overlaid": False}],
    "policies": {"payments": "0123456789ab"}, "terms": {"payments": list(TERMS.wire())}, "orders": {"cache": 0},
    "limits": [], "tiers": {"generator": ["primary", "plain"]}, "unanswered": 1, "sketch": {"3": 5},
    "tier_sketches": {"generator.primary": {"3": 5}},
}  # fmt: skip


class Fleet:
    """A Redis with one sound replica, and a dashboard's application that watches it."""

    def __init__(self, redactor: Redactor = NOTHING_KNOWN) -> None:
        server = fakeredis.FakeServer(version=(7, 0))
        self.redis: Any = fakeredis.FakeAsyncRedis(server=server, decode_responses=True)
        self.ledger = RedisLedger(fakeredis.FakeAsyncRedis(server=server, decode_responses=True))
        self.observer = FleetObserver(RedisLedger(fakeredis.FakeAsyncRedis(server=server, decode_responses=True)), "o")
        self.watcher = Watcher(self.observer, redactor=redactor)
        service = DashboardService(circuits=self.observer, watcher=self.watcher, redactor=redactor)
        self.client = AppClient(build_dashboard_app(service))

    async def forge(self, body: str, incarnation: str = "forged~1") -> None:
        await self.redis.zadd(KEYS.replicas, {incarnation: await self.ledger.now_ms()})
        await self.redis.set(KEYS.replica(incarnation), body)

    async def replies(self) -> dict[str, Any]:
        found = {}
        for path in ("/v1/fleet", "/v1/circuits", "/health"):
            reply = await self.client.call("GET", path)
            assert reply.status == 200, (path, reply.body)
            assert len(reply.body) <= LARGEST_REPLY, path
            found[path] = reply.json
        return found


@asynccontextmanager
async def watched(redactor: Redactor = NOTHING_KNOWN) -> AsyncIterator[Fleet]:
    fleet = Fleet(redactor)
    await fleet.ledger.beat("sound~1", json.dumps(SOUND), ["payments"], 60_000)
    async with fleet.observer:
        yield fleet
    await fleet.ledger.aclose()
    await fleet.redis.aclose()


# ---- nearly valid heartbeats ----------------------------------------------------------------------------------------

numbers = st.sampled_from([
    -1, 2**31, 2**53, 2**53 + 1, 2**63, 2**64, -(2**64), 10**30, 10**300, 1e308, -0.0, float("nan"), float("inf"),
    float("-inf"), True, False, None,
])  # fmt: skip
names = st.sampled_from([
    "payments", "cache", "sound", "generator.primary", "", "\u202eevil", "a\nb", "{x}", "x" * 600, "ha_rag:circuits",
    "\ud800", "\0", "<script>", "../..", "__class__", "3", "999", "00003",
])  # fmt: skip
words = names | st.text(max_size=20) | st.sampled_from(["open", "half_open", "banana", "replica", "fleet", "x" * 5000])
nested = st.sampled_from([[[[]]], {"a": {"a": {"a": {}}}}, [{}] * 2000, {str(n): n for n in range(2000)}])
scalars = numbers | words | nested
entries = st.dictionaries(st.sampled_from(["name", "state", "scope", "overlaid", "more"]), scalars)
strange = (
    scalars
    | st.lists(scalars | entries, max_size=4)
    | st.dictionaries(words, scalars | st.lists(scalars, max_size=3), max_size=4)
)
nearly_valid = st.fixed_dictionaries(
    {}, optional={field: st.just(right) | strange for field, right in SOUND.items()}
).map(lambda fields: {**SOUND, **fields})
broken = nearly_valid.map(json.dumps).flatmap(
    lambda text: st.integers(0, len(text)).map(lambda at: text[:at]) | st.just(text)
)
incarnations = st.sampled_from(["forged~1", "sound~2", "sound", "~", "a" * 128 + "~1", "a~b~c"])


@deep(100)
@given(forged=st.lists(st.tuples(incarnations, broken), min_size=1, max_size=3))
@example(forged=[("forged~1", "[" * 50_000)])
@example(forged=[("forged~1", '{"circuits":' * 20_000)])
@example(forged=[("forged~1", '{"questions": 1' + "0" * 10_000 + "}")])
@example(forged=[("forged~1", json.dumps({**SOUND, "circuits": [{"name": "\ud800", "state": "open"}]}))])
@example(forged=[("forged~1", json.dumps({**SOUND, "policies": {"x" * 500 + str(n): "y" * 900 for n in range(2000)}}))])
def test_nearly_valid_heartbeats_fail_no_request_and_hide_no_sound_replica(forged: list[tuple[str, str]]) -> None:
    async def scenario() -> None:
        async with watched() as fleet:
            for incarnation, body in forged:
                await fleet.forge(body.encode("utf-8", "replace").decode(), incarnation)
            for _ in range(2):  # the second differs from the first, where counters are compared
                picture = (await fleet.replies())["/v1/fleet"]
                assert "sound" in {replica["name"] for replica in picture["replicas"]}
                assert "payments" in {circuit["name"] for circuit in picture["circuits"]}
                await fleet.watcher.poll()
            reports: tuple[ReplicaReport, ...] = (await fleet.observer.fleet()).replicas
            DriftDetector("sound~1", "sound").noticed(reports, 0)

    asyncio.run(scenario())


# ---- secrets that Redis repeats -------------------------------------------------------------------------------------

SECRET = "Wq7-hunter.of/redis"
WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in upper case": str.upper,
    "percent-encoded": lambda word: quote(word, safe=""),
    "in base64": lambda word: base64.b64encode(f"a:{word}".encode()).decode().strip("="),
    "cut short": lambda word: word[:8],
}


@pytest.mark.parametrize("way", WAYS)
async def test_secrets_in_what_others_wrote_to_redis_are_shown_nowhere(way: str) -> None:
    written = WAYS[way](SECRET)
    name = written.replace("/", ".")
    async with watched(Redactor([SECRET, "open"])) as fleet:
        for circuit in ("payments", f"circuit {written}"):
            await fleet.redis.zadd(KEYS.circuits, {escaped(circuit): await fleet.ledger.now_ms()})
            await fleet.ledger.override(circuit, TERMS, OverrideMode.OPEN, f"because {written}", f"by {written}", None)
        entry = {"name": f"own {written}", "state": "open", "scope": "replica"}
        body = {**SOUND, "version": written, "circuits": [entry], "policies": {"payments": written, written: written}}
        await fleet.forge(json.dumps(body), f"r{name}~1".replace("%", "."))
        await fleet.forge(json.dumps(SOUND), f"r{name}~2".replace("%", "."))
        picture = await fleet.watcher.poll()
        missed = await fleet.watcher.events_between(Place.parse("0-0@a"), fleet.watcher.timeline.place)
        assert missed
        said = [repr(picture), repr(missed), repr(fleet.watcher.timeline.newest_first())]
        replies = await fleet.replies()
        unknown = await fleet.client.call("GET", "/v1/circuits/nobody")

        for text in (*said, json.dumps(replies), unknown.body.decode()):
            at = max(text.find(written), text.lower().find(SECRET[:8].lower()))
            assert at < 0, text[max(0, at - 200) : at + 40]
        states = {circuit["state"] for circuit in replies["/v1/circuits"]["circuits"]}
        assert states == {"open"}, "words of ours stay, whatever a secret is"
