"""What a stored circuit can be: anything else is refused, of that circuit alone, until an operator replaces it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import fakeredis
import pytest

from ha_rag.circuit import bounds
from ha_rag.circuit.rules import Batch, RestorePoint, Tally
from ha_rag.circuit.state import CircuitState, Counts, OverrideMode
from ha_rag.errors import LedgerRefusedError
from ha_rag.ledger.store.ledger import Ledger
from ha_rag.ledger.store.scripts import lua
from ha_rag.outcomes import Outcome
from tests.ledger.bench import START_MS, Bench, RedisBench, terms

NAME, OTHER = "svc", "other"
TERMS = terms()
DAY_MS = 86_400_000
SWEEP_EVERY = 100
"""`lua/prelude/counting.lua`: with every such batch, those of replicas that are gone are removed."""


def test_the_scripts_have_the_same_bounds_as_the_rules() -> None:
    names, numbers = [], []
    for line in re.findall(r"^local (MAX_.*?) = (.*)$", lua("prelude/bounds"), re.MULTILINE):
        names += line[0].split(", ")
        numbers += line[1].split(", ")
    assert {name: int(number) for name, number in zip(names, numbers, strict=True)} == {
        name: value for name, value in vars(bounds).items() if name.startswith("MAX_")
    }


BEYOND = START_MS + bounds.MAX_AHEAD_MS + 1
HUGE = "9" * 300
FOREIGN_FIELDS: dict[str, dict[str, Any]] = {
    "an epoch beyond 2^53": {"epoch": 2**53 + 1},
    "an epoch beyond an hour": {"epoch": BEYOND},
    "an epoch of 300 digits": {"epoch": HUGE},
    "an epoch that is no number": {"epoch": "banana"},
    "a hexadecimal epoch": {"epoch": "0x10"},
    "a fraction": {"epoch": "1.5"},
    "a negative number": {"epoch": "-1"},
    "an endless number": {"open_count": "inf"},
    "no number at all": {"changed_at_ms": "nan"},
    "an unknown state": {"state": "banana"},
    "an unknown override": {"override_mode": "banana"},
    "a change in the future": {"changed_at_ms": BEYOND},
    "a million openings too many": {"open_count": bounds.MAX_COUNT + 1},
    "a reason of a megabyte": {"reason": "x" * 1_000_000},
}
WRONG_TYPES = ["circuit", "window", "voters", "probes", "batches"]


async def spoil(bench: RedisBench, what: str) -> None:
    """Writes one foreign thing into the keys of a circuit that has changed once."""
    await bench.ledger.override(NAME, TERMS, OverrideMode.SHADOW, "first", "kim", None)
    key = f"{bench.namespace}:{{{NAME}}}"
    if what in FOREIGN_FIELDS:
        await bench.client.hset(f"{key}:circuit", mapping=FOREIGN_FIELDS[what])
    else:
        skip_where_pcall_fails(bench)
        await bench.client.set(f"{key}:{what}", "not ours")


def skip_where_pcall_fails(bench: RedisBench) -> None:
    if isinstance(bench.client, fakeredis.FakeAsyncRedis):
        pytest.skip("in fakeredis, pcall of a command that fails ends the script")


SPOILT = [*FOREIGN_FIELDS, *WRONG_TYPES]
IN_EVERY_REPLY = [what for what in SPOILT if what != "batches"]


@pytest.mark.parametrize("what", IN_EVERY_REPLY)
async def test_a_circuit_that_no_replica_can_have_written_is_left_out_and_the_others_are_read(
    redis_bench: RedisBench, what: str
) -> None:
    await spoil(redis_bench, what)
    ledger = redis_bench.ledger
    assert set(await ledger.read({NAME: TERMS, OTHER: TERMS})) == {OTHER}
    assert ledger.refused_values.reason(NAME) is not None
    with pytest.raises(LedgerRefusedError) as refused:
        await ledger.read({NAME: TERMS})
    assert refused.value.code == "INVALID"


async def each_verb_is_refused(ledger: Ledger, now_ms: int) -> None:
    batch = Batch("a", 1, (Tally(0, now_ms, Counts(0, 3)),))
    for verb in (
        ledger.record(NAME, TERMS, batch, 0.0),
        ledger.lease(NAME, TERMS, "a", 0, "t"),
        ledger.settle(NAME, TERMS, "a", "t", Outcome.OK, 0, 0.0),
        ledger.restore(NAME, TERMS, "a", RestorePoint(CircuitState.OPEN, now_ms, 400)),
    ):
        with pytest.raises(LedgerRefusedError) as refused:
            await verb
        assert refused.value.code == "INVALID"


@pytest.mark.parametrize("what", IN_EVERY_REPLY)
async def test_every_verb_but_an_override_refuses_it_and_writes_nothing(redis_bench: RedisBench, what: str) -> None:
    await spoil(redis_bench, what)
    key = f"{redis_bench.namespace}:{{{NAME}}}:circuit"
    before = await content(redis_bench.client, key)
    await each_verb_is_refused(redis_bench.ledger, redis_bench.now_ms)
    assert await content(redis_bench.client, key) == before


async def content(client: Any, key: str) -> Any:
    return await (client.hgetall(key) if await client.type(key) == "hash" else client.get(key))


@pytest.mark.parametrize("mode", [OverrideMode.CLOSED, None], ids=["close", "auto"])
@pytest.mark.parametrize("what", SPOILT)
async def test_an_operator_replaces_it_and_all_verbs_work_again(
    redis_bench: RedisBench, what: str, mode: OverrideMode | None
) -> None:
    await spoil(redis_bench, what)
    ledger = redis_bench.ledger
    reply = await ledger.override(NAME, TERMS, mode, "replace it", "kim", None)
    assert (reply.snapshot.state, reply.published) == ("closed", True)
    assert START_MS <= reply.snapshot.epoch <= START_MS + 10
    assert ledger.refused_values.reason(NAME) is None
    ended = await ledger.override(NAME, TERMS, None, "go on", "kim", None)
    await opens_and_closes(redis_bench, ended.snapshot.epoch)


async def opens_and_closes(bench: Bench, epoch: int) -> None:
    ledger = bench.ledger
    failures = Batch("a", 1, (Tally(epoch, bench.now_ms, Counts(0, 3)),), failing=True)
    assert (await ledger.record(NAME, TERMS, failures, 0.0)).snapshot.state == "open"
    await bench.advance(TERMS.open_ms)
    for token in ("one", "two"):
        assert (await ledger.lease(NAME, TERMS, "a", 0, token)).granted
        reply = await ledger.settle(NAME, TERMS, "a", token, Outcome.OK, 0, 0.0)
    assert reply.snapshot.state == "closed"


FOREIGN_ENTRIES: dict[str, list[tuple[str, Any]]] = {
    "window": [("banana", "1:2:3"), ("100:1", "x"), (f"100:{HUGE}", "1:1:1"), ("100:99999999999999", "0:50:0")],
    "batches": [("a", "banana"), ("a", f"{HUGE}:s:1"), ("a", f"{2**53}:s:{BEYOND}")],
    "voters": [("v" * 1000, START_MS + 500), ("endless", float("inf")), ("far", START_MS + 10**12)],
    "probes": [("banana", START_MS + 500), (f"{HUGE}:t", START_MS + 500), (f"{START_MS}:t", float("inf"))],
}


@pytest.mark.parametrize(("part", "field", "value"), [(p, f, v) for p, es in FOREIGN_ENTRIES.items() for f, v in es])
async def test_a_foreign_entry_of_a_hash_or_sorted_set_counts_for_nothing(
    redis_bench: RedisBench, part: str, field: str, value: Any
) -> None:
    key = f"{redis_bench.namespace}:{{{NAME}}}:{part}"
    if part in ("window", "batches"):
        await redis_bench.client.hset(key, field, value)
    else:
        await redis_bench.client.zadd(key, {field: value})
    found = (await redis_bench.ledger.read({NAME: TERMS}))[NAME].snapshot
    assert (found.counts, found.voters, found.slot_wait_ms) == (Counts(), (), 0)
    await opens_and_closes(redis_bench, 0)


FLOODS: dict[str, Callable[[int], dict[str, Any]]] = {
    "window": lambda number: {f"field {n}": "1" for n in range(number)},
    "batches": lambda number: {f"r{n}": "1:s:1" for n in range(number)},
    "voters": lambda number: {f"v{n}": -5 for n in range(number)},
    "probes": lambda number: {f"0:t{n}": -5 for n in range(number)},
}


@pytest.mark.parametrize("part", FLOODS)
async def test_more_entries_than_a_fleet_has_are_deleted_and_hide_none_of_its_own(
    redis_bench: RedisBench, part: str
) -> None:
    key, flood = f"{redis_bench.namespace}:{{{NAME}}}:{part}", FLOODS[part](bounds.MAX_MEMBERS + 1)
    if part in ("window", "batches"):
        await redis_bench.client.hset(key, mapping=flood)
    else:
        await redis_bench.client.zadd(key, flood)
    for number in (1, SWEEP_EVERY, SWEEP_EVERY + 1):
        batch = Batch("a", number, (Tally(0, redis_bench.now_ms, Counts(1, 0)),))
        reply = await redis_bench.ledger.record(NAME, TERMS, batch, 0.0)
    assert reply.snapshot.counts == Counts(3, 0)
    left = await (redis_bench.client.hlen(key) if part in ("window", "batches") else redis_bench.client.zcard(key))
    assert left <= 1
    await redis_bench.advance(2 * TERMS.window_ms)
    await opens_and_closes(redis_bench, 0)


async def test_foreign_fields_of_the_circuits_hash_are_not_read_however_many_they_are(redis_bench: RedisBench) -> None:
    flood = {f"field {n}": "1" for n in range(50_000)}
    await redis_bench.client.hset(f"{redis_bench.namespace}:{{{NAME}}}:circuit", mapping=flood)
    await opens_and_closes(redis_bench, 0)


async def test_a_bucket_of_more_calls_than_there_can_be_counts_for_nothing(redis_bench: RedisBench) -> None:
    now_ms, width = redis_bench.now_ms, TERMS.bucket_ms
    key = f"{redis_bench.namespace}:{{{NAME}}}:window"
    await redis_bench.client.hset(key, f"{width}:{now_ms // width}", f"{2**53 - 1}:{2**53 - 1}:0")
    assert (await redis_bench.ledger.read({NAME: TERMS}))[NAME].snapshot.counts == Counts()
    await opens_and_closes(redis_bench, 0)


@pytest.mark.parametrize("stream", ["events", "change-log"])
@pytest.mark.parametrize("foreign", ["a string", "the last id there is", "an id of next year"])
async def test_a_stream_that_cannot_be_continued_is_begun_anew(
    redis_bench: RedisBench, stream: str, foreign: str
) -> None:
    client, ledger = redis_bench.client, redis_bench.ledger
    if foreign != "an id of next year":
        skip_where_pcall_fails(redis_bench)
    key = f"{redis_bench.namespace}:{{{NAME}}}:events" if stream == "events" else f"{redis_bench.namespace}:change-log"
    if foreign == "a string":
        await client.set(key, "not ours")
    else:
        seconds, _ = await client.time()
        last = (
            f"{2**64 - 1}-{2**64 - 1}"
            if foreign == "the last id there is"
            else f"{(int(seconds) + 31_536_000) * 1000}-0"
        )
        await client.xadd(key, {"x": "y"}, id=last)
    reply = await ledger.override(NAME, TERMS, OverrideMode.SHADOW, "why", "kim", None)
    assert reply.published
    log = await ledger.change_log("0-0")
    assert log is not None
    told = await ledger.latest(NAME) if stream == "events" else log.changes
    assert len(told) == 1


# ---- a clock that was set back --------------------------------------------------------------------------------------


async def test_after_the_clock_was_set_back_a_day_an_operator_replaces_the_circuit(bench: Bench) -> None:
    ledger = bench.ledger
    await ledger.override(NAME, TERMS, OverrideMode.SHADOW, "before", "kim", None)
    before = (await ledger.override(NAME, TERMS, None, "before", "kim", None)).snapshot
    await bench.advance(-DAY_MS)
    await each_verb_is_refused(ledger, bench.now_ms)
    closed = (await ledger.override(NAME, TERMS, OverrideMode.CLOSED, "after", "kim", None)).snapshot
    assert closed.epoch == bench.now_ms
    # A replica that still holds the state of before does not bring it back.
    again = await ledger.restore(NAME, TERMS, "a", before.restore_point())
    assert again.snapshot.epoch == closed.epoch
    ended = await ledger.override(NAME, TERMS, None, "go on", "kim", None)
    await opens_and_closes(bench, ended.snapshot.epoch)


async def test_a_clock_that_was_set_back_by_less_than_an_hour_changes_nothing(bench: Bench) -> None:
    reply = await bench.ledger.override(NAME, TERMS, OverrideMode.SHADOW, "before", "kim", None)
    await bench.advance(-bounds.MAX_AHEAD_MS + 1)
    assert (await bench.ledger.read({NAME: TERMS}))[NAME].snapshot.epoch == reply.snapshot.epoch
    ended = await bench.ledger.override(NAME, TERMS, None, "go on", "kim", None)
    assert ended.snapshot.epoch == reply.snapshot.epoch + 1


@pytest.mark.parametrize(
    "point",
    [
        RestorePoint(CircuitState.OPEN, BEYOND, 400),
        RestorePoint(CircuitState.OPEN, 2**53, 400),
        RestorePoint(CircuitState.OPEN, 10**300, 400),
        RestorePoint(CircuitState.OPEN, START_MS, bounds.MAX_REST_MS + 1),
        RestorePoint(CircuitState.OPEN, START_MS, 400, open_count=10**300),
        RestorePoint(CircuitState.OPEN, START_MS, 400, changed_at_ms=BEYOND),
    ],
)
async def test_what_is_beyond_the_bounds_is_never_restored(bench: Bench, point: RestorePoint) -> None:
    restored = (await bench.ledger.restore(NAME, TERMS, "a", point)).snapshot
    assert (restored.state, restored.epoch) == ("closed", 0)
