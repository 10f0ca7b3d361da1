"""Circuits set by hand: `opened`, `closed`, `reset`, of circuits with and without a registry of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ha_rag import CircuitBreaker, CircuitOpenError, CircuitPolicy, CircuitRegistry
from ha_rag.errors import ConfigurationError
from ha_rag.events import CircuitChanged
from ha_rag.testing import ManualRegistry, closed, opened, reset

POLICY = CircuitPolicy(min_samples=3)


def _never_entered() -> CircuitBreaker:
    return CircuitRegistry.connect("redis://localhost:1/0", namespace="shop", replica="a").breaker("svc", POLICY)


MAKES: dict[str, Callable[[], CircuitBreaker]] = {
    "manual": lambda: ManualRegistry().breaker("svc", POLICY),
    "without_redis": lambda: CircuitRegistry.connect(replica="a").breaker("svc", POLICY),
    "with_a_url_but_never_entered": _never_entered,
}


@pytest.fixture(params=MAKES)
def breaker(request: pytest.FixtureRequest) -> CircuitBreaker:
    return MAKES[request.param]()


def fails(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        admission = breaker.admit()
        assert admission.permit is not None
        admission.permit.failed()


def open_by_failures(breaker: CircuitBreaker) -> None:
    while breaker.admit().permitted:
        fails(breaker, 1)


async def test_an_opened_circuit_refuses_every_form_of_call(breaker: CircuitBreaker) -> None:
    calls = []

    @breaker
    async def charge() -> None:
        calls.append("charge")

    with opened(breaker) as same:
        assert same is breaker
        assert breaker.state == "open"
        with pytest.raises(CircuitOpenError):
            await charge()
        with pytest.raises(CircuitOpenError):
            await breaker.call(charge)
        with pytest.raises(CircuitOpenError):
            breaker.call_sync(calls.append, "sync")
        assert not breaker.admit().permitted
    assert calls == []
    await charge()
    assert calls == ["charge"]


def test_refusals_of_an_opened_circuit_say_when_to_retry() -> None:
    registry = ManualRegistry()
    breaker = registry.breaker("svc", POLICY)
    with opened(breaker, retry_after_s=30.0):
        registry.advance(10.0)
        with pytest.raises(CircuitOpenError) as refused:
            breaker.call_sync(int)
        assert refused.value.retry_after_s == pytest.approx(20.0)
        registry.advance(20.0)
        assert breaker.state == "half_open"
    assert breaker.state == "closed"


def test_without_a_time_they_do_not(breaker: CircuitBreaker) -> None:
    with opened(breaker):
        assert breaker.admit().retry_after_s is None


def test_a_closed_circuit_admits_calls_whatever_fails(breaker: CircuitBreaker) -> None:
    reset(breaker)
    open_by_failures(breaker)
    with closed(breaker):
        fails(breaker, 50)
        assert breaker.state == "closed"
    fails(breaker, 2)
    assert breaker.state == "closed", "the failures of the block count no more"
    fails(breaker, 1)
    assert breaker.state == "open"


@pytest.mark.parametrize("by_hand", [opened, closed])
def test_the_circuit_is_closed_after_a_block_that_raises(
    breaker: CircuitBreaker, by_hand: Callable[[CircuitBreaker], object]
) -> None:
    with pytest.raises(KeyError), by_hand(breaker):  # type: ignore[attr-defined]  # a context manager
        raise KeyError
    assert breaker.override is None
    assert breaker.state == "closed"


def test_blocks_nest() -> None:
    registry = ManualRegistry()
    breaker = registry.breaker("svc", POLICY)
    with opened(breaker, retry_after_s=60.0):
        with closed(breaker):
            assert breaker.admit().permitted
            with opened(breaker):
                assert not breaker.admit().permitted
            assert breaker.admit().permitted
        assert breaker.admit().retry_after_s == pytest.approx(60.0)
    assert breaker.admit().permitted


async def test_a_test_function_may_be_decorated(breaker: CircuitBreaker) -> None:
    @opened(breaker)
    def test() -> bool:
        return breaker.admit().permitted

    @opened(breaker)
    async def test_async() -> bool:
        await asyncio.sleep(0)
        return breaker.admit().permitted

    for _ in range(2):
        assert not test()
        assert breaker.admit().permitted
        assert not await test_async()
        assert breaker.admit().permitted


def test_reset_closes_a_circuit_that_failures_opened(breaker: CircuitBreaker) -> None:
    reset(breaker)  # as a fixture does before each test; it keeps a registry with a URL from joining at its first call
    open_by_failures(breaker)
    reset(breaker)
    assert breaker.state == "closed"
    fails(breaker, 2)
    assert breaker.state == "closed"
    fails(breaker, 1)
    assert breaker.state == "open"


def test_listeners_hear_of_it() -> None:
    registry = ManualRegistry()
    with opened(registry.breaker("svc")):
        changes = [event for event in registry.events if isinstance(event, CircuitChanged)]
        assert [(change.from_state, change.to_state) for change in changes] == [("closed", "open")]


async def test_a_circuit_connected_to_redis_is_left_alone(fake_redis_server: str) -> None:
    async with CircuitRegistry.connect(fake_redis_server, namespace="shop", replica="a") as circuits:
        shared, own = circuits.breaker("shared"), circuits.breaker("own", scope="replica")
        with pytest.raises(ConfigurationError, match=r"shared through Redis: use CircuitRegistry\.override"):
            opened(shared).__enter__()
        assert shared.admit().permitted
        with opened(own):
            assert not own.admit().permitted


@pytest.mark.parametrize("retry_after_s", [0, -1.0, float("nan")])
def test_a_time_that_makes_no_sense_is_refused(retry_after_s: float) -> None:
    with pytest.raises(ConfigurationError, match="for_s"):
        opened(ManualRegistry().breaker("svc"), retry_after_s=retry_after_s).__enter__()
