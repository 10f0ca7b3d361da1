"""The keys in Redis, their TTLs, and that reads leave no trace."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.state import Counts, OverrideMode
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.keys import FORM, PARTS, Keys
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.outcomes import Outcome
from tests.ledger.bench import RedisBench
from tests.ledger.bench import terms as terms_of
from tests.ledger.test_contract import NAME, Verbs
from tests.patient_replicas import REPLY_S
from tests.redis_servers import RedisProcess

CIRCUIT_FIELDS = {
    "state", "epoch", "opened_at_ms", "open_for_ms", "open_count", "changed_at_ms", "probe_successes", "probe_slow",
    "lost_at_ms", "would_open_at_ms", "missed_after", "missed_before",
    "reason", "opened_by", "lost_by", "override_mode", "override_by",
}  # fmt: skip
STAMPED_FIELDS = {"streak", "slowest_probe_ms", "judges_from_ms"}
"""Stamped with the epoch that wrote them, so that a transition by 0.1.0 invalidates them: FORM stays."""
OVERRIDE_FIELDS = {"mode", "reason", "by"}
WRITES_NOTHING = {"time", "pttl", "hgetall", "zrange", "hmget", "hget", "evalsha", "eval", "client", "client|setinfo"}


@pytest.fixture
def verbs(redis_bench: RedisBench) -> Verbs:
    return Verbs(redis_bench, terms_of())


def key(bench: RedisBench, part: str) -> str:
    return f"{bench.namespace}:{{{NAME}}}:{part}"


async def stored(bench: RedisBench) -> dict[str, tuple[Any, bool]]:
    """Every key in the namespace: a fingerprint of its value, and whether it has a TTL."""
    found = {}
    async for name in bench.client.scan_iter(match=f"{bench.namespace}:*", count=1000):
        kind = await bench.client.type(name)
        found[name] = (await _value(bench.client, kind, name), await bench.client.pttl(name) > 0)
    return found


async def _value(client: Any, kind: str, name: str) -> Any:
    if kind == "hash":
        return tuple(sorted((await client.hgetall(name)).items()))
    if kind == "zset":
        return tuple(await client.zrange(name, 0, -1, withscores=True))
    return await (client.get(name) if kind == "string" else client.xlen(name))


async def test_the_keys_of_a_circuit_share_one_hash_tag(verbs: Verbs, redis_bench: RedisBench) -> None:
    await verbs.probing()
    await verbs.override(OverrideMode.SHADOW, 1000)
    others = (":test:", ":change-log")
    names = [name for name in await stored(redis_bench) if not any(other in name for other in others)]
    assert all(name.startswith(f"{redis_bench.namespace}:{{{NAME}}}:") for name in names)
    assert {name.rpartition(":")[2] for name in names} == {"circuit", "probes", "override", "events"}


async def test_stored_names_change_only_with_the_format_version(verbs: Verbs, redis_bench: RedisBench) -> None:
    """Old and new replicas run side by side in an upgrade: adding a field or changing a type requires a new FORM."""
    await verbs.probing()
    await verbs.override(OverrideMode.SHADOW, 1000)
    client = redis_bench.client
    kinds = {part: await client.type(key(redis_bench, part)) for part in PARTS}
    assert FORM == 1
    assert {part: kind for part, kind in kinds.items() if kind != "none"} == {
        "circuit": "hash", "probes": "zset", "override": "hash", "events": "stream",
    }  # fmt: skip
    assert set(await client.hgetall(key(redis_bench, "circuit"))) == CIRCUIT_FIELDS | STAMPED_FIELDS
    assert set(await client.hgetall(key(redis_bench, "override"))) == OVERRIDE_FIELDS


def test_replicas_of_another_format_version_share_no_name() -> None:
    def names(keys: Keys) -> set[str]:
        return {
            *keys.circuit("c"),
            keys.circuits,
            keys.replicas,
            keys.replica("a~1"),
            keys.changes,
            keys.alerts,
            keys.change_log,
            keys.loggers,
        }

    assert names(Keys("shop")) == names(Keys("shop", form=FORM))
    assert not names(Keys("shop")) & names(Keys("shop", form=FORM + 1))
    assert all(name.startswith("shop:") for name in names(Keys("shop", form=FORM + 1)))


async def test_the_open_key_exists_while_the_circuit_is_open(verbs: Verbs, redis_bench: RedisBench) -> None:
    await verbs.report(failed=3)
    assert await redis_bench.client.exists(key(redis_bench, "open"))
    await redis_bench.advance(500)
    await verbs.lease()
    assert not await redis_bench.client.exists(key(redis_bench, "open"))


async def test_an_operator_can_end_an_open_duration_by_deleting_its_key(verbs: Verbs, redis_bench: RedisBench) -> None:
    await verbs.report(failed=3)
    await redis_bench.client.delete(key(redis_bench, "open"))
    assert (await verbs.lease()).granted


async def test_temporary_keys_have_a_ttl_and_the_circuit_itself_has_none(verbs: Verbs, redis_bench: RedisBench) -> None:
    await verbs.report(ok=1, failed=1, failing=True)
    ends = {name.rpartition(":")[2]: has_end for name, (_, has_end) in (await stored(redis_bench)).items()}
    assert ends["window"]
    assert ends["voters"]
    assert ends["batches"]
    await verbs.report(failed=3)
    await redis_bench.advance(500)
    await verbs.lease()
    await verbs.override(OverrideMode.CLOSED, 1000)
    ends = {name.rpartition(":")[2]: has_end for name, (_, has_end) in (await stored(redis_bench)).items()}
    assert ends["probes"]
    assert ends["override"]
    assert not ends["circuit"]


async def test_old_buckets_are_removed_from_the_window(verbs: Verbs, redis_bench: RedisBench) -> None:
    for _ in range(40):
        await verbs.report(ok=1)
        await redis_bench.advance(100)
    assert await redis_bench.client.hlen(key(redis_bench, "window")) <= 10


async def test_expired_probes_are_removed_when_the_next_one_is_granted(redis_bench: RedisBench) -> None:
    verbs = Verbs(redis_bench, terms_of(probes=2))
    await verbs.probing()
    await redis_bench.advance(100)
    await verbs.lease("t2", by="b")
    await redis_bench.advance(200)
    await verbs.lease("t3", by="c")
    assert [member.partition(":")[2] for member in await probes(redis_bench)] == ["t2", "t3"]


async def test_a_lease_requested_again_in_a_later_epoch_is_stored_once(redis_bench: RedisBench) -> None:
    verbs = Verbs(redis_bench, terms_of(probes=2, lease_ms=5000))
    await verbs.probing()
    await verbs.override(OverrideMode.OPEN, 100)
    await redis_bench.advance(100)
    granted = await verbs.lease()
    assert await probes(redis_bench) == [f"{granted.snapshot.epoch}:t1"]


async def probes(bench: RedisBench) -> list[str]:
    found: list[str] = await bench.client.zrange(key(bench, "probes"), 0, -1)
    return found


async def test_an_override_that_an_operator_ended_leaves_no_key(verbs: Verbs, redis_bench: RedisBench) -> None:
    await verbs.override(OverrideMode.SHADOW)
    assert await redis_bench.client.exists(key(redis_bench, "override"))
    await verbs.override(None)
    assert not await redis_bench.client.exists(key(redis_bench, "override"))


async def test_the_ttl_of_the_open_key_is_the_remaining_open_duration(verbs: Verbs, redis_bench: RedisBench) -> None:
    await verbs.report(failed=3)
    assert await redis_bench.client.hget(key(redis_bench, "circuit"), "open_for_ms") == "500"
    await verbs.override(OverrideMode.OPEN)
    assert await redis_bench.client.hget(key(redis_bench, "circuit"), "open_for_ms") == "0"


async def test_batch_numbers_of_replicas_that_stopped_reporting_are_pruned(
    verbs: Verbs, redis_bench: RedisBench
) -> None:
    for replica in range(20):
        await verbs.ledger.record(NAME, verbs.terms, Batch(f"gone-{replica}", 1), 0.0)
    await redis_bench.advance(1999)
    await verbs.ledger.record(NAME, verbs.terms, Batch("living", 99), 0.0)
    await redis_bench.advance(1)
    await verbs.ledger.record(NAME, verbs.terms, Batch("living", 100), 0.0)
    assert await redis_bench.client.hkeys(key(redis_bench, "batches")) == ["living"]


async def test_the_event_stream_is_capped(verbs: Verbs, redis_bench: RedisBench) -> None:
    async with redis_bench.client.pipeline() as long_ago:
        for _ in range(2000):
            long_ago.xadd(key(redis_bench, "events"), {"epoch": 0})
        await long_ago.execute()
    await verbs.override(OverrideMode.SHADOW)
    assert 1000 <= await redis_bench.client.xlen(key(redis_bench, "events")) <= 1200


REFUSALS = {
    "a read": lambda h: h.read(),
    "a lease that is refused": lambda h: h.lease("other", by="b"),
    "a foreign token": lambda h: h.settle(Outcome.OK, "foreign"),
    "a restore that is not newer": lambda h: h.ledger.restore(NAME, h.terms, "a", (h.known).restore_point()),
    "outcomes of an open circuit": lambda h: h.report(failed=5),
    "the end of no override": lambda h: h.override(None),
}


async def probing(verbs: Verbs, bench: RedisBench) -> None:
    await bench.advance(500)
    await verbs.lease()


async def open_again_beside_a_probe(verbs: Verbs, bench: RedisBench) -> None:
    """The open duration is over, and an earlier probe still has its slot."""
    await probing(verbs, bench)
    await verbs.override(OverrideMode.OPEN, 100)
    await bench.advance(100)
    assert not (await verbs.override(None)).snapshot.override


@pytest.mark.parametrize("what", REFUSALS)
@pytest.mark.parametrize("afterwards", [None, probing, open_again_beside_a_probe])
async def test_a_refusal_and_a_read_write_nothing(
    what: str, afterwards: Any, verbs: Verbs, redis_bench: RedisBench
) -> None:
    verbs.known = (await verbs.report(failed=3)).snapshot  # type: ignore[attr-defined]  # for the restore above
    if afterwards:
        await afterwards(verbs, redis_bench)
    before = await stored(redis_bench)
    await REFUSALS[what](verbs)
    assert await stored(redis_bench) == before


@pytest.mark.real_redis
@pytest.mark.parametrize("half_open", [False, True])
async def test_a_refusal_extends_no_time_to_live_and_sends_no_writing_command(
    *, half_open: bool, redis_server: RedisProcess
) -> None:
    """On Redis's own clock: the frozen clock stores expiry times separately."""
    client = connect(redis_server.url, timeout_s=REPLY_S)
    ledger, policy = RedisLedger(client), terms_of(open_ms=1 if half_open else 60_000, lease_ms=60_000)
    opened = await _open(ledger, policy)
    epoch = await _granted(ledger, policy, opened) if half_open else opened
    ends, before = await _ends(client), redis_server.commands()
    for _ in range(20):
        refused = await ledger.lease(NAME, policy, "b", epoch, "u")
        await ledger.record(NAME, policy, Batch("a", 9, (Tally(epoch, 0, Counts(0, 9)),)), 0.0)
        await ledger.settle(NAME, policy, "b", "foreign", Outcome.OK, 0, 0.0)
        await ledger.read({NAME: policy})
    after = redis_server.commands()
    left = await _ends(client)
    await ledger.aclose()
    assert (refused.granted, 0 < refused.wait_ms < 60_000) == (False, True)
    called = {name for name, count in after.items() if count > before.get(name, 0)} - {"info", "hello", "select"}
    assert called <= WRITES_NOTHING
    assert set(left) == set(ends) == {f"ha_rag:{{{NAME}}}:{'probes' if half_open else 'open'}"}
    assert all(left[key] <= ends[key] for key in ends)


async def _granted(ledger: RedisLedger, policy: Any, known: int) -> int:
    """The epoch of a lease granted now: an open duration of a millisecond is soon over."""
    while not (reply := await ledger.lease(NAME, policy, "a", known, "t")).granted:
        pass
    return reply.snapshot.epoch


async def _ends(client: Any) -> dict[str, int]:
    """The TTL of each key that has one, in ms."""
    left = {key: await client.pttl(key) for key in await client.keys("*")}
    return {key: ms for key, ms in left.items() if ms >= 0}


async def test_a_restored_closed_circuit_has_no_open_key_and_no_override_in_redis(
    verbs: Verbs, redis_bench: RedisBench
) -> None:
    await verbs.override(OverrideMode.SHADOW)
    point = replace((await verbs.read()).snapshot, override=None).restore_point()
    await verbs.ledger.restore(NAME, verbs.terms, "a", replace(point, epoch=point.epoch + 10))
    assert not await redis_bench.client.exists(key(redis_bench, "open"), key(redis_bench, "override"))


@pytest.mark.real_redis
async def test_no_key_outlives_its_purpose(redis_server: RedisProcess) -> None:
    client = connect(redis_server.url, timeout_s=REPLY_S)
    ledger = RedisLedger(client)
    now, policy = await ledger.now_ms(), terms_of(window_ms=60_000, bucket_ms=6000, min_samples=9)
    await ledger.record(NAME, policy, Batch("a", 1, (Tally(0, now, Counts(0, 1)),), failing=True), 0.0)
    longest_ms = {"window": 120_000, "voters": 60_000, "batches": 120_000}
    for part, ms in longest_ms.items():
        assert ms - 30_000 < await client.pttl(f"ha_rag:{{{NAME}}}:{part}") <= ms, part
    await ledger.aclose()


@pytest.mark.real_redis
async def test_a_script_uses_redis_own_time(redis_server: RedisProcess) -> None:
    ledger = RedisLedger(connect(redis_server.url, timeout_s=REPLY_S))
    for _ in range(20):
        before = await ledger.now_ms()
        reported = (await ledger.read({NAME: terms_of()}))[NAME].snapshot.now_ms
        assert before <= reported <= await ledger.now_ms()
    await ledger.aclose()


@pytest.mark.real_redis
async def test_an_operator_can_end_an_override_by_deleting_its_key(redis_server: RedisProcess) -> None:
    """On Redis's own clock, on which the TTL runs too."""
    client = connect(redis_server.url, timeout_s=REPLY_S)
    ledger = RedisLedger(client)
    await ledger.override(NAME, terms_of(), OverrideMode.OPEN, "why", "kim", 60_000)
    await client.delete(f"ha_rag:{{{NAME}}}:override")
    found = (await ledger.read({NAME: terms_of()}))[NAME].snapshot
    assert (found.state, found.override) == ("half_open", None)
    await ledger.aclose()


@pytest.mark.real_redis
@pytest.mark.slow
async def test_on_redis_own_clock_the_recovery_timeout_is_the_open_keys_time_to_live(
    redis_server: RedisProcess,
) -> None:
    client = connect(redis_server.url, timeout_s=REPLY_S)
    ledger, policy = RedisLedger(client), terms_of(open_ms=300, lease_ms=300, probe_successes=1)
    await _open(ledger, policy)
    left = (await ledger.read({NAME: policy}))[NAME].snapshot.left_ms
    ttl = await client.pttl(f"ha_rag:{{{NAME}}}:open")
    assert 0 < ttl <= left <= 300
    await asyncio.sleep(0.32)
    granted = await ledger.lease(NAME, policy, "b", 0, "t")
    closed = await ledger.settle(NAME, policy, "b", "t", Outcome.OK, 0, 0.0)
    await ledger.aclose()
    assert granted.granted
    assert closed.snapshot.state == "closed"


async def _open(ledger: RedisLedger, policy: Any) -> int:
    now = (await ledger.read({NAME: policy}))[NAME].snapshot.now_ms
    return (await ledger.record(NAME, policy, Batch("a", 1, (Tally(0, now, Counts(0, 3)),)), 0.0)).snapshot.epoch
