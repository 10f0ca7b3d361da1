"""Messages that no replica sent, on the channel of replicas with a real Redis: none has an effect that lasts."""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
import redis as sync_redis
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.bounds import MAX_AHEAD_MS, MAX_REST_MS
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.errors import CircuitOpenError
from ha_rag.ledger.store.codec import change
from ha_rag.ledger.sync import pace
from tests.depth import deep
from tests.ledger.hostile_server import WORDS
from tests.redis_servers import RedisProcess
from tests.waiting import PATIENCE_S, until

SVC = "svc"
POLICY = CircuitPolicy(min_samples=3, window_s=1.0, recovery_timeout_s=0.3, probe_timeout_s=0.3, probe_successes=1)
HOUR_MS = 3_600_000

FORGED: dict[str, dict[int, str]] = {
    "an epoch beyond 2^53": {2: str(2**53 + 1)},
    "an epoch of 300 digits": {2: "9" * 300},
    "an epoch a day ahead": {2: "+86400000"},
    "an epoch and a time a day ahead": {0: "+86400000", 2: "+86400000"},
    "open for a century": {2: "+60000", 3: str(100 * 365 * 86_400_000)},
    "open for a month, soon": {2: "+60000", 3: str(30 * 86_400_000)},
    "open without end": {2: "+60000", 3: "-1"},
    "half-open": {1: "half_open", 2: "+60000", 3: "0"},
    "forced open": {2: "+60000", 3: "-1", 15: "open", 16: "why", 17: "evil"},
    "held closed": {1: "closed", 2: "+60000", 3: "0", 15: "closed", 16: "why", 17: "evil"},
    "a name that is half a character": {2: "+60000", 5: "\ud800"},
}


def message(now_ms: int, changed: dict[int, str]) -> str:
    """A message of this form: open for 3 s; `changed`: the snapshot's items by position, "+": ms from now on."""
    items = [str(now_ms), "open", str(now_ms), "3000", "1", "r", "evil", str(now_ms), *["0"] * 7, "", "", "", ""]
    for at, item in changed.items():
        items[at] = str(now_ms + int(item)) if item.startswith("+") else item
    return json.dumps([SVC, "0", *items])


@pytest.fixture
def admin(own_redis_server: RedisProcess) -> Iterator[sync_redis.Redis]:
    with sync_redis.Redis.from_url(own_redis_server.url, decode_responses=True) as client:
        yield client


@asynccontextmanager
async def fleet_of(number: int, url: str, policy: CircuitPolicy = POLICY) -> AsyncIterator[list[CircuitRegistry]]:
    async with AsyncExitStack() as stack:
        replicas = [CircuitRegistry.connect(url, replica=f"r{n}") for n in range(number)]
        for replica in replicas:
            await stack.enter_async_context(replica)
            replica.breaker(SVC, policy=policy)
        yield replicas


def states(replicas: list[CircuitRegistry]) -> set[str]:
    return {report.state.value for replica in replicas for report in replica.snapshot()}


def now_ms(admin: sync_redis.Redis) -> int:
    seconds, micros = admin.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def answered() -> str:
    return "answered"


@pytest.mark.real_redis
@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_message_is_forgotten_within_a_poll_or_two_and_never_written_to_redis(
    own_redis_server: RedisProcess, admin: sync_redis.Redis, forged: dict[int, str]
) -> None:
    async with fleet_of(2, own_redis_server.url) as replicas:
        await until(lambda: admin.pubsub_numsub("ha_rag:changes")[0][1] == 2)
        admin.publish("ha_rag:changes", message(now_ms(admin), forged))
        assert all(replica.ledger is not None for replica in replicas)
        await until(lambda: all(sum(r.ledger.refused_values.counts.values()) for r in replicas if r.ledger))
        await until(lambda: states(replicas) == {"closed"})
        assert {await replica.breaker(SVC).call(answered) for replica in replicas} == {"answered"}
        assert not any(report.override for replica in replicas for report in replica.snapshot())
        assert int(admin.hget(f"ha_rag:{{{SVC}}}:circuit", "epoch") or 0) == 0
        # The replicas still hear of real changes, and operators are obeyed.
        await replicas[0].override(SVC, "open", reason="try", by="kim")
        await until(lambda: states(replicas) == {"open"})
        await replicas[0].override(SVC, "closed", reason="try", by="kim")
        await until(lambda: states(replicas) == {"closed"})
        began_s = time.monotonic()
    assert time.monotonic() - began_s < PATIENCE_S, "the replicas stop"


ENDING = {name: forged for name, forged in FORGED.items() if name not in ("forced open", "held closed")}
"""A forged override is restored as a real one is, and ends by hand: decision 57."""

BRIEF = replace(POLICY, recovery_timeout_max_s=0.5, throttle_max_s=0.5)


@pytest.mark.real_redis
@pytest.mark.parametrize("forged", ENDING.values(), ids=ENDING.keys())
async def test_a_forged_message_that_is_believed_while_the_subscription_breaks_opens_for_no_longer_than_an_opening(
    own_redis_server: RedisProcess, admin: sync_redis.Redis, forged: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis may have lost its data at that moment, so the replica restores what only a message said."""
    monkeypatch.setattr(pace, "POLL_S", 3600.0)
    async with fleet_of(1, own_redis_server.url, BRIEF) as replicas:
        sync = replicas[0]._link.sync
        assert sync is not None
        await until(lambda: admin.pubsub_numsub("ha_rag:changes")[0][1] == 1)
        admin.publish("ha_rag:changes", message(now_ms(admin), forged))
        refused = sync.ledger.refused_values.counts
        await until(lambda: bool(refused) or states(replicas) != {"closed"} or held(replicas))
        admin.client_kill_filter(_type="pubsub")
        await until(lambda: sync._subscription._intact_since_s == math.inf)
        await until(lambda: sync._subscription._intact_since_s < math.inf)
        await sync._subscription._poll_once()
        await until(lambda: not sync._restoring._under_way)
        while (await outcome(replicas[0])) != "answered":
            await until(lambda: states(replicas) != {"open"})
        await until(lambda: states(replicas) == {"closed"})
        await until(lambda: not held(replicas))
        assert not admin.hget(f"ha_rag:{{{SVC}}}:circuit", "override_mode")


def held(replicas: list[CircuitRegistry]) -> bool:
    return any(report.override for replica in replicas for report in replica.snapshot())


async def outcome(replica: CircuitRegistry) -> str:
    try:
        return await replica.breaker(SVC).call(answered)
    except CircuitOpenError:
        return "refused"


@pytest.mark.real_redis
async def test_a_flood_of_forged_messages_causes_no_flood_of_reads(
    own_redis_server: RedisProcess, admin: sync_redis.Redis
) -> None:
    async with fleet_of(1, own_redis_server.url) as replicas:
        await until(lambda: admin.pubsub_numsub("ha_rag:changes")[0][1] == 1)
        before, began_s = own_redis_server.commands(), time.monotonic()
        with admin.pipeline(transaction=False) as pipe:
            for number in range(3000):
                pipe.publish("ha_rag:changes", message(now_ms(admin), {2: f"+{60_000 + number}"}))
            pipe.execute()
        await until(lambda: states(replicas) == {"closed"})
        assert await replicas[0].breaker(SVC).call(answered) == "answered"
        after = own_redis_server.commands()
        scripts = sum(after.get(name, 0) - before.get(name, 0) for name in ("eval", "evalsha"))
        assert scripts <= 20 + 30 * (time.monotonic() - began_s), "ten reads at once, ten a second, and polls"


@pytest.mark.real_redis
async def test_what_stands_in_redis_is_refused_shown_and_replaced_by_close(
    own_redis_server: RedisProcess, admin: sync_redis.Redis
) -> None:
    async with fleet_of(2, own_redis_server.url) as replicas:
        admin.hset(f"ha_rag:{{{SVC}}}:circuit", mapping={"epoch": str(2**53 + 2), "state": "half_open"})
        await until(lambda: all(any("close" in warning for warning in replica.warnings) for replica in replicas))
        assert {await replica.breaker(SVC).call(answered) for replica in replicas} == {"answered"}
        closed = await replicas[0].override(SVC, "closed", reason="mend it", by="kim", for_s=60)
        assert closed.state.value == "closed"
        assert closed.epoch <= now_ms(admin)
        await replicas[1].end_override(SVC, by="kim")
        await until(lambda: not any(replica.warnings for replica in replicas))
        await until(lambda: all(replica.shared_state == "fresh" for replica in replicas))
        assert int(admin.hget(f"ha_rag:{{{SVC}}}:circuit", "epoch") or 0) <= now_ms(admin)


# ---- the grammar of messages ----------------------------------------------------------------------------------------

NOW_MS = 1_790_000_000_000
_items = st.one_of(
    st.sampled_from(WORDS), st.text(max_size=5), st.integers(-5, 2**64).map(str),
    st.sampled_from([str(NOW_MS + by) for by in (-1, 0, 1, HOUR_MS, HOUR_MS + 1, -HOUR_MS, MAX_REST_MS)]),
)  # fmt: skip
_real: list[str] = json.loads(message(NOW_MS, {}))


@st.composite
def messages(draw: st.DrawFn) -> str:
    """A real message with some items changed, dropped, repeated or replaced by other JSON."""
    items: list[object] = list(_real)
    for at, item in draw(st.dictionaries(st.integers(0, len(_real) - 1), _items, max_size=4)).items():
        items[at] = item
    cut = draw(st.integers(0, len(items))) if draw(st.integers(0, 3)) == 0 else len(items)
    items = items[:cut] + list(draw(st.lists(st.one_of(_items, st.integers(), st.none()), max_size=3)))
    return json.dumps(items)


@deep(1000)
@given(messages())
def test_any_message_is_refused_or_says_what_a_circuit_can_be(said: str) -> None:
    told = change(said)
    if told is None:
        return
    snapshot = told.snapshot
    assert 0 <= snapshot.epoch <= snapshot.now_ms + MAX_AHEAD_MS
    assert 0 <= told.previous_epoch <= snapshot.now_ms + MAX_AHEAD_MS
    assert -1 <= snapshot.left_ms <= MAX_REST_MS
    assert 0 <= snapshot.slot_wait_ms <= MAX_REST_MS
    if snapshot.override is not None and snapshot.override.until_ms is not None:
        assert snapshot.override.until_ms - snapshot.now_ms <= MAX_REST_MS
    json.dumps([snapshot.reason, snapshot.opened_by, *snapshot.voters], ensure_ascii=False).encode()


def test_the_message_from_which_the_others_are_made_is_valid() -> None:
    assert change(message(NOW_MS, {})) is not None
