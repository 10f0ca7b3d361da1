"""Guard one call of your own: no pipeline, no framework, one breaker.

python examples/guard_one_call.py                            # this process alone
python examples/guard_one_call.py redis://localhost:6379/0   # shared with every other process that says the same
"""

from __future__ import annotations

import asyncio
import sys

from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry, ServiceError

POLICY = CircuitPolicy(min_samples=3, failure_threshold=0.5, recovery_timeout_s=10.0)


async def charge(order: int) -> str:
    """Stands for your call; today the service is down."""
    raise ServiceError("the payment service is down")


async def main(url: str | None) -> None:
    """Five orders, and what becomes of them."""
    async with CircuitRegistry.connect(url, namespace="shop") as circuits:
        payments = circuits.breaker("payments", POLICY)
        for order in range(1, 6):
            try:
                print(await payments.call(charge, order))
            except CircuitOpenError as refused:
                print(f"order {order}: not even tried; worth another look in {refused.retry_after_s:.0f} s")
            except ServiceError as error:
                print(f"order {order}: {error}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
