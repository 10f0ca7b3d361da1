"""Calling through a breaker: `call`, `async with`, `with` and the decorator."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from ha_rag.breaker.outcome import CANCELLED, Verdict, classify
from ha_rag.breaker.permit import Probe
from ha_rag.breaker.probes import DetachedProbes
from ha_rag.circuit.state import Counts
from ha_rag.errors import (
    CircuitOpenError,
    ConfigurationError,
    InvalidRequestError,
    MalformedReplyError,
    ServiceError,
    ServiceTimeoutError,
    ThrottledError,
)
from ha_rag.outcomes import Outcome
from tests.breaker.one_breaker import CLOSED, DOWN, HALF_OPEN, OPEN, OneBreaker, down, fine, hangs, run_other_tasks
from tests.waiting import PATIENCE_S


@pytest.fixture
def one() -> OneBreaker:
    return OneBreaker()


# ---- call -----------------------------------------------------------------------------------------------------------


async def test_call_returns_the_functions_result(one: OneBreaker) -> None:
    assert await one.breaker.call(fine) == "fine"
    assert one.counts == Counts(1, 0)


async def test_call_takes_arguments_and_plain_functions(one: OneBreaker) -> None:
    assert await one.breaker.call(divmod, 7, 2) == (3, 1)


async def test_call_propagates_and_counts_the_functions_error(one: OneBreaker) -> None:
    with pytest.raises(ServiceError) as raised:
        await one.breaker.call(down)
    assert raised.value is DOWN
    assert one.counts == Counts(0, 1)


async def test_an_open_circuit_does_not_run_the_function(one: OneBreaker) -> None:
    one.opens()
    ran: list[int] = []
    with pytest.raises(CircuitOpenError):
        await one.breaker.call(ran.append, 1)
    assert not ran


async def test_execute_is_an_alias_of_call(one: OneBreaker) -> None:
    assert await one.breaker.execute(fine) == "fine"


async def test_concurrent_calls_do_not_wait_for_each_other(one: OneBreaker) -> None:
    gate = asyncio.Event()
    running = 0

    async def work() -> None:
        nonlocal running
        running += 1
        await gate.wait()

    tasks = [asyncio.create_task(one.breaker.call(work)) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert running == 50
    gate.set()
    await asyncio.gather(*tasks)
    assert one.counts == Counts(50, 0)


async def test_a_cancelled_caller_is_not_counted(one: OneBreaker) -> None:
    task = asyncio.create_task(one.breaker.call(hangs))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert one.counts == Counts()


# ---- probes ---------------------------------------------------------------------------------------------------------


async def test_a_probe_continues_and_settles_after_its_caller_is_cancelled(one: OneBreaker) -> None:
    one.half_opens()
    gate = asyncio.Event()
    task = asyncio.create_task(one.breaker.call(gate.wait))
    await run_other_tasks()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert one.breaker.state is HALF_OPEN
    gate.set()
    await run_other_tasks()
    assert one.breaker.state is CLOSED


async def test_a_probe_that_fails_after_its_caller_is_cancelled_counts_and_logs_nothing(
    one: OneBreaker, caplog: pytest.LogCaptureFixture
) -> None:
    one.half_opens()
    gate = asyncio.Event()

    async def fails_late() -> None:
        await gate.wait()
        raise DOWN

    task = asyncio.create_task(one.breaker.call(fails_late))
    await run_other_tasks()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    await run_other_tasks()
    assert one.breaker.state is OPEN
    assert not caplog.records


async def test_a_hanging_probe_is_stopped_at_its_bound_and_opens_the_circuit(one: OneBreaker) -> None:
    one.half_opens()
    permit = one.permit()
    assert isinstance(permit, Probe)
    permit.bound_s = 0.01
    result = await DetachedProbes().run(permit, hangs)
    with pytest.raises(TimeoutError, match=r"probe of circuit 'svc' took longer than 0\.01 s"):
        result.value()
    assert one.breaker.state is OPEN


async def test_a_probe_cancelled_at_shutdown_is_not_counted_however_long_it_took() -> None:
    one = OneBreaker(timeout_s=2.0)
    one.half_opens()
    task = asyncio.create_task(one.breaker.call(hangs))
    await run_other_tasks()
    one.clock.advance(1.9)
    for probe in tuple(one.breaker._probes.under_way):
        probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert one.breaker.state is HALF_OPEN
    assert one.permit().probe


async def test_a_probe_in_a_block_is_stopped_within_its_lease(one: OneBreaker, monkeypatch: pytest.MonkeyPatch) -> None:
    one.half_opens()
    monkeypatch.setattr("ha_rag.breaker.permit.margin_s", lambda left_s: 0.999 * left_s)

    async def block() -> None:
        async with one.breaker as permit:
            assert permit.probe
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await block()
    assert one.breaker.state is OPEN


async def test_a_failing_probe_in_a_block_propagates_its_error(one: OneBreaker) -> None:
    one.half_opens()
    with pytest.raises(ServiceError):
        async with one.breaker:
            raise DOWN
    assert one.breaker.state is OPEN


async def test_a_successful_probe_in_a_block_closes_the_circuit(one: OneBreaker) -> None:
    one.half_opens()
    async with one.breaker as permit:
        assert permit.probe
    assert one.breaker.state is CLOSED


# ---- async with -----------------------------------------------------------------------------------------------------


async def test_a_block_counts_its_outcome(one: OneBreaker) -> None:
    async with one.breaker:
        pass
    with pytest.raises(ServiceError):
        async with one.breaker:
            raise DOWN
    assert one.counts == Counts(1, 1)


async def test_an_open_circuit_does_not_enter_the_block(one: OneBreaker) -> None:
    one.opens()
    with pytest.raises(CircuitOpenError):
        async with one.breaker:
            pytest.fail("entered")


async def test_a_permit_settled_inside_the_block_is_counted_once(one: OneBreaker) -> None:
    async with one.breaker as permit:
        permit.failed()
    assert one.counts == Counts(0, 1)


async def test_concurrent_and_nested_blocks_keep_their_permits_apart(one: OneBreaker) -> None:
    async def work(number: int) -> None:
        try:
            async with one.breaker:
                async with one.breaker:
                    await asyncio.sleep(0)
                if number % 2:
                    raise KeyError(number)
        except KeyError:
            pass

    await asyncio.gather(*(work(n) for n in range(3)))
    assert one.counts == Counts(5, 1)


async def test_a_block_exited_in_a_different_context_raises_no_error(one: OneBreaker) -> None:
    await asyncio.create_task(one.breaker.__aenter__())
    await asyncio.create_task(one.breaker.__aexit__(None, None, None))


# ---- decorator ------------------------------------------------------------------------------------------------------


async def test_a_decorated_coroutine_is_guarded_and_keeps_its_name(one: OneBreaker) -> None:
    @one.breaker
    async def fetch(answer: str) -> str:
        """Fetches."""
        return answer

    assert await fetch("x") == "x"
    assert (fetch.__name__, fetch.__doc__) == ("fetch", "Fetches.")
    one.opens()
    with pytest.raises(CircuitOpenError):
        await fetch("x")


def test_a_decorated_function_is_guarded(one: OneBreaker) -> None:
    @one.breaker
    def fetch(answer: str) -> str:
        return answer

    assert fetch("x") == "x"
    one.opens()
    with pytest.raises(CircuitOpenError):
        fetch("x")


async def test_an_object_whose_call_is_a_coroutine_is_awaited_under_guard(one: OneBreaker) -> None:
    class Fetch:
        async def __call__(self) -> str:
            raise DOWN

    with pytest.raises(ServiceError):
        await one.breaker(Fetch())()
    assert one.counts == Counts(0, 1)


def test_a_decorated_class_is_called_as_a_plain_function(one: OneBreaker) -> None:
    class Fetch:
        async def __call__(self) -> str:
            return "x"

    assert isinstance(one.breaker(Fetch)(), Fetch)
    assert one.counts == Counts(1, 0)


def test_decorating_a_generator_function_is_an_error(one: OneBreaker) -> None:
    async def stream() -> AsyncIterator[int]:
        yield 1

    def rows() -> Iterator[int]:
        yield 1

    for generator in (stream, rows):
        with pytest.raises(ConfigurationError, match="is a generator"):
            one.breaker(generator)


# ---- synchronous code -----------------------------------------------------------------------------------------------


def test_a_synchronous_call_and_block(one: OneBreaker) -> None:
    assert one.breaker.call_sync(divmod, 7, 2) == (3, 1)
    with pytest.raises(ServiceError), one.breaker:
        raise DOWN
    assert one.counts == Counts(1, 1)


def test_threads_share_one_breaker_and_hold_no_lock_during_the_call(one: OneBreaker) -> None:
    all_inside = threading.Barrier(8, timeout=PATIENCE_S)

    def work() -> None:
        with one.breaker:
            all_inside.wait()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.counts == Counts(8, 0)


def test_only_one_of_many_threads_probes(one: OneBreaker) -> None:
    one.half_opens()
    permits: list[bool] = []
    threads = [threading.Thread(target=lambda: permits.append(one.breaker.admit().permitted)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(permits) == 1


# ---- classification of errors ---------------------------------------------------------------------------------------


def missing() -> str:
    raise KeyError("x")


class ThrottleError(Exception):
    """An exception with a `retry_after_s`."""

    def __init__(self, retry_after_s: object) -> None:
        self.retry_after_s = retry_after_s


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ServiceError("x", status=503), Outcome.FAILED),
        (ServiceError("x", status=401), Outcome.FAILED),
        (MalformedReplyError("x"), Outcome.FAILED),
        (ConnectionResetError(), Outcome.FAILED),
        (ValueError(), Outcome.FAILED),
        (ServiceTimeoutError("x"), Outcome.TIMEOUT),
        (TimeoutError(), Outcome.TIMEOUT),
        (ThrottledError("x", retry_after_s=3.0), Outcome.THROTTLED),
        (ThrottledError("x", retry_after_s=0.0), Outcome.FAILED),
        (ThrottleError(2), Outcome.THROTTLED),
        (ThrottleError(None), Outcome.FAILED),
        (ThrottleError("soon"), Outcome.FAILED),
        (InvalidRequestError("x", status=422), Outcome.INVALID),
        (CircuitOpenError("inner", 9.0), Outcome.CANCELLED),
        (asyncio.CancelledError(), Outcome.CANCELLED),
        (KeyboardInterrupt(), Outcome.CANCELLED),
        (SystemExit(), Outcome.CANCELLED),
        (GeneratorExit(), Outcome.CANCELLED),
    ],
)
def test_errors_are_classified(error: BaseException, outcome: Outcome) -> None:
    assert classify(error).outcome is outcome


async def test_a_custom_classify_decides() -> None:
    one = OneBreaker(classify=lambda error: CANCELLED if isinstance(error, KeyError) else Verdict(Outcome.FAILED))
    with pytest.raises(KeyError):
        await one.breaker.call(missing)
    assert one.counts == Counts()


async def test_an_error_that_a_custom_classify_maps_to_ok_counts_as_a_success() -> None:
    one = OneBreaker(classify=lambda _: Verdict(Outcome.OK))
    with pytest.raises(KeyError):
        await one.breaker.call(missing)
    assert one.counts == Counts(1, 0)


async def test_an_error_in_classify_does_not_hide_the_services_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(error: BaseException) -> Verdict:
        raise RuntimeError("classify is broken")

    one = OneBreaker(classify=broken)
    with pytest.raises(ServiceError):
        await one.breaker.call(down)
    assert one.counts == Counts(0, 1)
    assert "classify is broken" in caplog.text
