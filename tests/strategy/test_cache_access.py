"""CacheAccess: whatever a cache does, a question waits 20 ms at most and then goes on without it."""

from __future__ import annotations

import asyncio
import itertools

from ha_rag.ledger.store.cache import CachedValue
from ha_rag.ledger.store.validation import ForeignValueError
from ha_rag.strategy.cache_access import AT_ONCE, FAILURES, MAX_REST_S, REST_S, WITHIN_S, CacheAccess
from tests.strategy.memory_cache import MemoryCache
from tests.strategy.virtual_time import LoopClock, in_virtual_time

KEY = "0" * 64


def body(value: CachedValue) -> str:
    return value.body


def access_to(store: MemoryCache, **options: object) -> CacheAccess:
    return CacheAccess(store, max_bytes=100, clock=LoopClock(), **options)  # type: ignore[arg-type]  # any of them


def now() -> float:
    return asyncio.get_running_loop().time()


def test_what_is_kept_is_found() -> None:
    async def run() -> None:
        access = access_to(MemoryCache())
        assert await access.find(KEY, body) is None
        access.keep(KEY, "because")
        await asyncio.sleep(0.01)
        assert await access.find(KEY, body) == "because"
        assert access.counts == {"miss": 1, "kept": 1, "hit": 1}

    in_virtual_time(run)


def test_a_slow_cache_costs_a_question_20_ms_and_then_nothing_until_it_has_rested() -> None:
    async def run() -> None:
        store = MemoryCache({KEY: "because"}, takes_s=0.1)
        access = access_to(store)
        for _ in range(FAILURES):
            began_s = now()
            assert await access.find(KEY, body) is None
            assert now() - began_s <= WITHIN_S + 0.001
        began_s = now()
        assert await access.find(KEY, body) is None
        assert now() == began_s
        assert store.asked == FAILURES
        assert access.counts == {"late": FAILURES, "unavailable": 1}
        store.takes_s = 0.0
        await asyncio.sleep(REST_S)
        assert await access.find(KEY, body) == "because"

    in_virtual_time(run)


def test_a_cache_that_stays_gone_is_asked_less_and_less_but_never_given_up() -> None:
    async def run() -> None:
        store = MemoryCache(is_gone=True)
        access = access_to(store)
        asked_at_s = []
        for _ in range(1_000):
            before = store.asked
            await access.find(KEY, body)
            if store.asked > before:
                asked_at_s.append(now())
            await asyncio.sleep(0.05)
        gaps = [later - earlier for earlier, later in itertools.pairwise(asked_at_s[FAILURES - 1 :])]
        assert gaps == sorted(gaps)
        assert gaps[0] < 2 * REST_S
        assert MAX_REST_S <= gaps[-1] < MAX_REST_S + 1

    in_virtual_time(run)


def test_a_cache_is_not_asked_while_the_link_is_down() -> None:
    async def run() -> None:
        store = MemoryCache({KEY: "because"})
        access = access_to(store, reachable=lambda: False)
        assert await access.find(KEY, body) is None
        access.keep(KEY, "because")
        await asyncio.sleep(0.01)
        assert store.asked == 0
        assert access.counts == {"unavailable": 1, "not_kept": 1}

    in_virtual_time(run)


def test_once_the_link_is_up_again_the_cache_is_asked_at_once() -> None:
    async def run() -> None:
        up, store = [True], MemoryCache({KEY: "because"}, is_gone=True)
        access = access_to(store, reachable=lambda: up[0])
        for _ in range(FAILURES):
            await access.find(KEY, body)
        up[0] = False
        assert await access.find(KEY, body) is None
        up[0], store.is_gone = True, False
        assert await access.find(KEY, body) == "because"

    in_virtual_time(run)


def test_a_value_that_no_replica_can_have_written_is_a_miss_that_is_told() -> None:
    def refuse(value: CachedValue) -> str:
        raise ForeignValueError("no")

    async def run() -> None:
        told: list[str] = []
        access = access_to(MemoryCache({KEY: "because"}), refused=told.append)
        assert await access.find(KEY, refuse) is None
        assert told == ["no"]
        assert access.counts == {"refused": 1}

    in_virtual_time(run)


def test_a_value_that_is_too_long_is_not_kept() -> None:
    async def run() -> None:
        store = MemoryCache()
        access = access_to(store)
        access.keep(KEY, "é" * 51)
        await asyncio.sleep(0.01)
        assert store.values == {}
        assert access.counts == {"too_long": 1}

    in_virtual_time(run)


def test_commands_that_hang_do_not_pile_up() -> None:
    async def run() -> None:
        store = MemoryCache(takes_s=60.0)
        access = access_to(store)
        for n in range(2 * AT_ONCE):
            access.keep(str(n), "because")
        assert access.counts == {"not_kept": AT_ONCE}
        await access.aclose()
        assert store.values == {}

    in_virtual_time(run)
