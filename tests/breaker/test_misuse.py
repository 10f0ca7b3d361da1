"""What a breaker cannot guard is refused, counts nothing, and is never a success."""

from __future__ import annotations

import asyncio
import functools
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from ha_rag.circuit.state import Counts
from ha_rag.errors import ConfigurationError, MisuseError, ServiceError
from tests.breaker.one_breaker import CLOSED, DOWN, HALF_OPEN, OPEN, OneBreaker, down


@pytest.fixture
def one() -> OneBreaker:
    return OneBreaker()


async def stream() -> AsyncIterator[int]:
    yield 1


def numbers() -> Iterator[int]:
    yield 1


def decorated(fn: Callable[[], Any]) -> Callable[[], Any]:
    @functools.wraps(fn)
    def around() -> Any:
        return fn()

    return around


@contextmanager
def block() -> Iterator[int]:
    yield 1


@asynccontextmanager
async def async_block() -> AsyncIterator[int]:
    yield 1


class AsyncCallable:
    async def __call__(self) -> None:
        raise DOWN


class StreamCallable:
    async def __call__(self) -> AsyncIterator[int]:
        yield 1


class Service:
    async def ask(self) -> None:
        raise DOWN

    async def stream(self) -> AsyncIterator[int]:
        yield 1


async def a_task() -> None:
    raise DOWN


LAZY: dict[str, Callable[[], Any]] = {
    "async generator": stream,
    "partial of it": functools.partial(stream),
    "partial of a partial": functools.partial(functools.partial(stream)),
    "method": Service().stream,
    "callable object": StreamCallable(),
    "partial of a callable object": functools.partial(StreamCallable()),
    "lambda around it": lambda *_: stream(),
    "generator": numbers,
    "lambda around a generator": lambda *_: numbers(),
    "decorator around a generator": decorated(numbers),
    "decorator around an async generator": decorated(stream),
    "context manager": block,
    "async context manager": async_block,
}
ASYNC: dict[str, Callable[[], Any]] = {
    "async function": down,
    "partial of it": functools.partial(down),
    "method": Service().ask,
    "callable object": AsyncCallable(),
    "lambda around it": lambda *_: down(),
}
lazy = pytest.mark.parametrize("fn", LAZY.values(), ids=LAZY.keys())
asynchronous = pytest.mark.parametrize("fn", ASYNC.values(), ids=ASYNC.keys())


@lazy
@pytest.mark.parametrize("half_open", [False, True])
async def test_call_refuses_a_function_whose_call_does_no_work(
    fn: Callable[[], Any], half_open: bool, one: OneBreaker
) -> None:
    if half_open:
        one.half_opens()
    for _ in range(5):
        with pytest.raises(MisuseError, match=r"guard the (loop|block)"):
            await one.breaker.call(fn)
    assert one.breaker.state is (HALF_OPEN if half_open else CLOSED)
    assert half_open or one.counts == Counts(0, 0)


@lazy
def test_call_sync_refuses_it_too(fn: Callable[[], Any], one: OneBreaker) -> None:
    with pytest.raises(MisuseError, match=r"guard the (loop|block)"):
        one.breaker.call_sync(fn)
    assert one.counts == Counts(0, 0)


@pytest.mark.parametrize("name", [name for name in LAZY if "around" not in name and "context" not in name])
def test_the_decorator_refuses_it_at_once(name: str, one: OneBreaker) -> None:
    with pytest.raises(MisuseError, match="is a generator function"):
        one.breaker(LAZY[name])


@pytest.mark.parametrize("name", [name for name in LAZY if "around" in name or "context" in name])
def test_the_decorated_function_refuses_what_cannot_be_seen_before(name: str, one: OneBreaker) -> None:
    guarded = one.breaker(LAZY[name])
    with pytest.raises(MisuseError):
        guarded()
    assert one.counts == Counts(0, 0)


@asynchronous
@pytest.mark.parametrize("half_open", [False, True])
def test_call_sync_refuses_an_async_function(fn: Callable[[], Any], half_open: bool, one: OneBreaker) -> None:
    if half_open:
        one.half_opens()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a coroutine that is never awaited
        for _ in range(5):
            with pytest.raises(MisuseError, match="call_sync cannot await it"):
                one.breaker.call_sync(fn)
    assert one.breaker.state is (HALF_OPEN if half_open else CLOSED)
    assert half_open or one.counts == Counts(0, 0)


async def test_call_sync_refuses_a_function_that_starts_a_task(one: OneBreaker) -> None:
    tasks: list[asyncio.Task[None]] = []

    def start() -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(a_task()))
        return tasks[-1]

    with pytest.raises(MisuseError):
        one.breaker.call_sync(start)
    assert one.counts == Counts(0, 0)
    with pytest.raises(ServiceError):
        await tasks[0]


@asynchronous
async def test_call_awaits_an_async_function_however_it_is_given(fn: Callable[[], Any], one: OneBreaker) -> None:
    with pytest.raises(ServiceError):
        await one.breaker.call(fn)
    assert one.counts == Counts(0, 1)


@pytest.mark.parametrize("name", [name for name in ASYNC if "lambda" not in name])
async def test_the_decorator_awaits_an_async_function_however_it_is_given(name: str, one: OneBreaker) -> None:
    with pytest.raises(ServiceError):
        await one.breaker(ASYNC[name])()
    assert one.counts == Counts(0, 1)


def test_the_decorator_refuses_the_coroutine_of_a_lambda(one: OneBreaker) -> None:
    with pytest.raises(MisuseError):
        one.breaker(ASYNC["lambda around it"])()
    assert one.counts == Counts(0, 0)


async def test_static_and_class_methods_can_be_decorated_in_either_order(one: OneBreaker) -> None:
    class Client:
        @one.breaker
        @staticmethod
        async def static() -> str:
            raise DOWN

        @one.breaker
        @classmethod
        async def on_the_class(cls) -> str:
            return cls.__name__

    with pytest.raises(ServiceError):
        await Client.static()
    assert await Client().on_the_class() == "Client"
    assert one.counts == Counts(1, 1)


@pytest.mark.parametrize("thing", [None, 5, "fetch", object()])
async def test_what_is_not_a_function_is_refused(thing: Any, one: OneBreaker) -> None:
    for guard in (one.breaker.call_sync, one.breaker):
        with pytest.raises(MisuseError, match="it is not a function"):
            guard(thing)
    with pytest.raises(MisuseError, match="it is not a function"):
        await one.breaker.call(thing)
    assert one.counts == Counts(0, 0)


async def test_a_coroutine_instead_of_a_function_is_refused(one: OneBreaker) -> None:
    with pytest.raises(MisuseError, match="pass the function and its arguments"):
        await one.breaker.call(down())  # type: ignore[call-overload]  # what a program may do
    assert one.counts == Counts(0, 0)


def test_a_misuse_is_a_configuration_error() -> None:
    """So programs that caught the decorator's ConfigurationError still do."""
    assert issubclass(MisuseError, ConfigurationError)


# ---- what looks alike and is fine -----------------------------------------------------------------------------------


def test_a_generator_that_reads_what_the_call_fetched_is_a_result(one: OneBreaker) -> None:
    def rows() -> Iterator[int]:
        fetched = [1, 2]
        return (row for row in fetched)

    def parsed() -> Iterator[int]:
        return numbers()

    assert list(one.breaker.call_sync(rows)) == [1, 2]
    assert list(one.breaker.call_sync(lambda: (row for row in [3]))) == [3]
    assert list(one.breaker.call_sync(parsed)) == [1]
    assert one.counts == Counts(3, 0)


async def test_a_task_that_an_async_function_returns_is_a_result(one: OneBreaker) -> None:
    async def start() -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    assert (await one.breaker.call(start)).done()
    assert one.counts == Counts(1, 0)


def test_a_class_can_be_guarded(one: OneBreaker) -> None:
    class Connection:
        def __call__(self) -> Iterator[int]:
            yield 1

    assert isinstance(one.breaker(Connection)(), Connection)
    assert one.counts == Counts(1, 0)


def test_an_open_circuit_still_names_the_misuse(one: OneBreaker) -> None:
    one.opens()
    with pytest.raises(MisuseError):
        one.breaker.call_sync(None)  # type: ignore[arg-type]  # what a program may do
    assert one.breaker.state is OPEN
