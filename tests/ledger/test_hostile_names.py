"""No name reaches the keys of another circuit or fleet.

Names of fleets and replicas that could are refused before anything is sent. Names of circuits are escaped; only those
that cannot be printed on one line are refused.
"""

from __future__ import annotations

import contextlib
import string
from collections.abc import Iterator
from typing import Any

import pytest
import redis as sync_redis
from hypothesis import example, given
from hypothesis import strategies as st
from redis.crc import key_slot

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store.circuit_names import escaped, is_circuit_name, unescaped
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.keys import Keys, is_name
from ha_rag.ledger.store.permissions import keys_rule
from ha_rag.ledger.store.redis import RedisLedger
from tests.ledger.bench import terms
from tests.patient import patient_registry
from tests.patient_replicas import REPLY_S
from tests.redis_servers import RedisProcess
from tests.waiting import until

NASTY = [
    "", " ", ":", "{", "}", "{}", "*", "?", "[a]", "\\", "\n", "\r\nFLUSHALL\r\n", "\0", "'", '"', "$", "%0A", "/",
    "..", "a:b", "a}b", "{a", "a\n", "a\r", "a ", " a", "a*", "a?", "a[b]", "x}:circuit", "x}:{y", "svc}:open",
    "{svc}:circuit", "ha_rag:{svc}:circuit", "embedder.primary}:window", "..:..", "\u00e9", "\u202eabc", "a\u200bb",
    "\U0001f600", "\ud800", "\u017f", "\u212a", "\u0661", "a" * 129, "a" * 100_000, "-a", "_a", ".a",
    "'; redis.call('FLUSHALL') --", "' .. redis.call('KEYS', '*') .. '",
]  # fmt: skip
ODD = ["a", "0", "replicas", "circuits", "replica", "changes", "open", "a.b", "a-b_c.d", "A" * 128, "NaN", "x.", "x-"]
"""Valid, but as unusual as possible."""

REFUSED = [name for name in NASTY if not is_circuit_name(name)]
ESCAPED = [name for name in NASTY if is_circuit_name(name)] + [
    "shop.example:443", "https://api.example/v1?a=b&c=%20#top",
    "the payment service", "\u00fcber-dienst", "\u652f\u4ed8", "a%3Ab",
    "a~b", "~a", "x" * 512,
]  # fmt: skip

LETTERS = "abcAB01._-"
circuit_names = (
    st.sampled_from(ODD + ESCAPED)
    | st.text(LETTERS + ":{}* %/~", min_size=1, max_size=6)
    | st.text(min_size=1, max_size=20).filter(is_circuit_name)
)
names = st.sampled_from(ODD) | st.text(LETTERS, min_size=1, max_size=8).filter(is_name)
anything = st.sampled_from(NASTY) | st.text(max_size=20) | st.text(LETTERS + ":{}*\n", max_size=6)


def tag(key: str) -> str:
    """The hash tag of a key, as a cluster finds it: between the first brace and the next closing one."""
    return key.partition("{")[2].partition("}")[0]


def fleets(keys: Keys, incarnation: str) -> list[str]:
    return [keys.circuits, keys.replicas, keys.replica(incarnation), keys.changes]


@given(names, circuit_names, names, circuit_names)
@example("a", "b.c", "a.b", "c")
@example("a", "b:c", "a", "b%3Ac")
@example("a", "\u00e9", "a", "e\u0301")
@example("a", "circuits", "a", "replicas")
def test_two_circuits_share_no_key(one_space: str, one: str, other_space: str, other: str) -> None:
    here, there = Keys(one_space), Keys(other_space)
    if (one_space, one) != (other_space, other):
        assert not {*here.circuit(one)} & {*there.circuit(other)}
    assert not {*here.circuit(one)} & {*fleets(there, other)}


@given(names, names, names)
def test_two_fleets_share_no_key_and_no_channel(one_space: str, other_space: str, incarnation: str) -> None:
    here, there = fleets(Keys(one_space), incarnation), fleets(Keys(other_space), incarnation)
    assert len({*here}) == 4
    if one_space != other_space:
        assert not {*here} & {*there}


@given(names, circuit_names)
def test_all_keys_of_a_circuit_share_one_hash_tag_that_is_its_escaped_name(namespace: str, circuit: str) -> None:
    keys = Keys(namespace).circuit(circuit)
    assert {tag(key) for key in keys} == {escaped(circuit)}
    assert unescaped(escaped(circuit)) == circuit
    assert set(escaped(circuit)) <= set(string.ascii_letters + string.digits + "._-%")
    assert len({key_slot(key.encode()) for key in keys}) == 1
    assert all(key.count("{") == key.count("}") == 1 for key in keys)


@given(names)
def test_a_name_that_0_1_0_accepts_is_stored_as_it_is(name: str) -> None:
    assert escaped(name) == name


@given(st.text(LETTERS + "%:{}4aF", max_size=8))
def test_a_stored_name_that_nobody_writes_is_no_circuits(stored: str) -> None:
    name = unescaped(stored)
    assert name is None or escaped(name) == stored


@given(names, circuit_names)
def test_every_key_begins_with_its_namespace_and_no_namespace_is_a_prefix_of_another(
    namespace: str, circuit: str
) -> None:
    keys = Keys(namespace)
    for key in [*keys.circuit(circuit), *fleets(keys, "a~0123abcd")]:
        assert key.partition(":")[0] == namespace
    assert set(keys_rule(namespace)[1:-2]).isdisjoint("*?[]\\^"), "no wildcard except the final star"


@given(anything)
def test_a_name_is_either_refused_or_satisfies_all_these_properties(name: str) -> None:
    for use in (Keys, _as_namespace, _as_replica):
        if use is _as_replica and not name:
            continue  # none given: it gets its default
        with contextlib.suppress(ConfigurationError):
            use(name)
            assert is_name(name)
            assert name.isascii()
            assert set(name).isdisjoint(":{}*?[]\\'\" \r\n\0")
            assert len(name) <= 128


@pytest.mark.parametrize("name", NASTY, ids=ascii)
def test_a_name_that_could_reach_other_keys_is_refused_with_the_rule_everywhere(name: str) -> None:
    for use in (_as_namespace, _as_replica):
        if use is _as_replica and not name:
            continue  # none given: it gets its default
        with pytest.raises(ConfigurationError, match="must be 1 to 128 letters, digits") as refused:
            use(name)
        assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("name", REFUSED, ids=ascii)
def test_a_circuit_whose_name_cannot_be_printed_on_one_line_is_refused_with_the_rule(name: str) -> None:
    for use in (_as_circuit, Keys().circuit):
        with pytest.raises(ConfigurationError, match="must be 1 to 512 printable characters") as refused:
            use(name)
        assert len(str(refused.value)) < 1000


def _as_namespace(name: str) -> None:
    CircuitRegistry.connect("redis://127.0.0.1:1/0", namespace=name)


def _as_circuit(name: str) -> None:
    CircuitRegistry.connect("redis://127.0.0.1:1/0").breaker(name)


def _as_replica(name: str) -> None:
    CircuitRegistry.connect("redis://127.0.0.1:1/0", replica=name)


# ---- commands that a real Redis receives -----------------------------------------------------------------------------


@pytest.fixture
def admin(redis_server: RedisProcess) -> Iterator[sync_redis.Redis]:
    with sync_redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        client.config_resetstat()
        yield client


@pytest.mark.real_redis
async def test_an_invalid_name_sends_no_command(redis_server: RedisProcess, admin: sync_redis.Redis) -> None:
    ledger = RedisLedger(connect(redis_server.url, timeout_s=REPLY_S))
    for name in REFUSED:
        with pytest.raises(ConfigurationError):
            await ledger.read({name: terms()})
        with pytest.raises(ConfigurationError):
            await ledger.lease(name, terms(), "a", 0, "token")
        with pytest.raises(ConfigurationError):
            await ledger.events(name)
    await ledger.aclose()
    assert {name for name in redis_server.commands() if name.startswith(("eval", "x", "h", "z"))} <= {"hello"}
    assert admin.keys("*") == []


@pytest.mark.real_redis
async def test_circuits_of_any_name_are_shared_listed_and_overridden_each_by_its_own(
    redis_server: RedisProcess, admin: sync_redis.Redis
) -> None:
    async with (
        patient_registry(redis_server.url, "a") as a,
        patient_registry(redis_server.url, "b") as b,
    ):
        for name in ESCAPED:
            a.breaker(name), b.breaker(name)
        for name in ESCAPED:
            await a.override(name, "open", reason=name, by="kim")
        reports = {report.name: report for report in await b.circuits()}
        assert {name: report.override and report.override.reason for name, report in reports.items()} == {
            name: name for name in ESCAPED
        }
        await until(lambda: all(b.breaker(name).state is CircuitState.OPEN for name in ESCAPED))
        assert all(str(key).startswith("ha_rag:") for key in admin.keys("*"))


@pytest.mark.real_redis
@pytest.mark.parametrize("name", ODD)
async def test_a_fleet_with_an_unusual_name_does_not_affect_others(name: str, redis_server: RedisProcess) -> None:
    await _fill(redis_server, "other", "svc")
    before = _everything(redis_server)
    await _fill(redis_server, name, name)
    written = _everything(redis_server)
    assert {key: value for key, value in written.items() if not key.startswith(f"{name}:".encode())} == before
    assert len(written) > len(before)


async def _fill(server: RedisProcess, namespace: str, circuit: str) -> None:
    """A circuit with every key that it can have, and a replica on the list."""
    policy = Terms.of(CircuitPolicy(min_samples=1))
    ledger = RedisLedger(connect(server.url, timeout_s=REPLY_S), namespace)
    await ledger.override(circuit, policy, None, "", "", None)
    await ledger.beat(f"{circuit}~1", "{}", [circuit], 60_000)
    reply = await ledger.override(circuit, policy, OverrideMode.OPEN, "a\n{b}:*", "kim\r\n", 60_000)
    assert reply.granted is False
    await ledger.aclose()


def _everything(server: RedisProcess) -> dict[bytes, Any]:
    with sync_redis.Redis.from_url(server.url) as client:
        return {bytes(key): client.dump(key) for key in client.keys("*")}


@pytest.mark.real_redis
async def test_invalid_names_in_the_list_of_circuits_are_ignored(
    redis_server: RedisProcess, admin: sync_redis.Redis
) -> None:
    async with patient_registry(redis_server.url, "a") as circuits:
        circuits.breaker("svc")
        invalid = [name for name in NASTY if unescaped(name) is None]
        now_ms = int(admin.time()[0]) * 1000
        admin.zadd("ha_rag:circuits", {name.encode("utf-8", "replace"): now_ms for name in [*invalid, "theirs"]})
        assert [report.name for report in await circuits.circuits()] == ["svc", "theirs"]


@pytest.mark.real_redis
@pytest.mark.parametrize("text", ["a\nb", "\0", "{x}:*", "é\u202e\U0001f600", '"]', "x" * 500], ids=ascii)
async def test_an_operators_text_is_stored_unchanged_and_is_not_part_of_a_key(
    text: str, redis_server: RedisProcess, admin: sync_redis.Redis
) -> None:
    async with (
        patient_registry(redis_server.url, "a") as a,
        patient_registry(redis_server.url, "b") as b,
    ):
        a.breaker("svc"), b.breaker("svc")
        await a.override("svc", "open", reason=text, by=text, for_s=60)
        (report,) = await b.circuits()
        assert report.override is not None
        assert (report.override.reason, report.override.by) == (text, text)
        assert {str(key).partition("~")[0] for key in admin.keys("*")} <= {
            "ha_rag:circuits", "ha_rag:replicas", "ha_rag:replica:a", "ha_rag:replica:b", "ha_rag:{svc}:circuit",
            "ha_rag:{svc}:open", "ha_rag:{svc}:override", "ha_rag:{svc}:events", "ha_rag:change-log", "ha_rag:loggers",
        }  # fmt: skip
