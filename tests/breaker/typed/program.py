"""What a type checker must infer about a guarded program. `test_types.py` runs mypy and pyright over this file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, assert_type

from ha_rag import CircuitBreaker, CircuitRegistry, Permit, Refusal

circuits = CircuitRegistry.connect(namespace="shop", replica="a")
payments: CircuitBreaker = circuits.breaker("payments")


@payments
async def charge(order: str, *, cents: int) -> bytes:
    return f"{order}: {cents}".encode()


@payments
def charge_now(order: str) -> bytes:
    return order.encode()


class Shop:
    @payments
    async def sell(self, item: str) -> int:
        return len(item)


async def coroutines() -> None:
    task: asyncio.Task[bytes] = asyncio.create_task(charge("7", cents=1))
    async with asyncio.TaskGroup() as group:
        sold = group.create_task(Shop().sell("tea"))
    assert_type(sold, asyncio.Task[int])
    assert_type(await task, bytes)
    assert_type(await asyncio.wait_for(charge("8", cents=2), 1.0), bytes)
    assert_type(asyncio.run_coroutine_threadsafe(charge("9", cents=3), asyncio.get_running_loop()).result(), bytes)


def plain() -> bytes:
    return charge_now("7")


async def calls() -> None:
    async def fetch(url: str) -> list[str]:
        return [url]

    assert_type(await payments.call(fetch, "a"), list[str])
    assert_type(await payments.call(len, "a"), int)
    assert_type(payments.call_sync(len, "a"), int)
    async with payments as permit:
        assert_type(permit, Permit)


def by_permit() -> float | None:
    admission = payments.admit()
    if admission.permit is None:
        return admission.retry_after_s
    admission.permit.ok()
    return None


def by_kind() -> None:
    admission = payments.admit()
    if isinstance(admission, Refusal):
        raise admission.error()
    assert_type(admission.permit, Permit)


def by_comparison() -> None:
    admission = payments.admit()
    if admission.permitted is True:
        assert_type(admission.permit, Permit)
    else:
        assert_type(admission, Refusal)


async def stream() -> AsyncIterator[Any]:
    async with payments:
        yield 1
