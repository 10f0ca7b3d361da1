"""Guard one call with a circuit breaker: no pipeline, no framework.

python examples/guard_one_call.py                            # local to this process
python examples/guard_one_call.py redis://localhost:6379/0   # shared with every process that uses this URL
"""

from __future__ import annotations

import asyncio
import sys

from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry, ServiceError

POLICY = CircuitPolicy(min_samples=3, failure_threshold=0.5, recovery_timeout_s=10.0)


async def charge(order: int) -> str:
    """A stand-in for your call; here the service is always down."""
    raise ServiceError("the payment service is down")


async def main(url: str | None) -> None:
    """Charges five orders and prints the results."""
    async with CircuitRegistry.connect(url, namespace="shop") as circuits:
        payments = circuits.breaker("payments", POLICY)
        for order in range(1, 6):
            try:
                print(await payments.call(charge, order))
            except CircuitOpenError as refused:
                print(f"order {order}: not tried; retry in {refused.retry_after_s:.0f} s")
            except ServiceError as error:
                print(f"order {order}: {error}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
