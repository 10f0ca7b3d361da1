"""Mistakes that a type checker must find: mypy --strict also refuses an `ignore` that nothing needs."""

from __future__ import annotations

from ha_rag import CircuitRegistry

payments = CircuitRegistry.connect(namespace="shop", replica="a").breaker("payments")


@payments
async def charge(order: str, *, cents: int) -> bytes:
    return f"{order}: {cents}".encode()


async def mistakes() -> None:
    await charge(7, cents=1)  # type: ignore[arg-type]  # the mistake
    await charge("7")  # type: ignore[call-arg]  # the mistake
    text: str = await charge("7", cents=1)  # type: ignore[assignment]  # the mistake
    await payments.call(charge, text)  # type: ignore[call-overload]  # the mistake
    payments.admit().permit.ok()  # type: ignore[union-attr]  # the mistake
