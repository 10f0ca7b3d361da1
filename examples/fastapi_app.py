"""A FastAPI application that uses only the circuit: several workers share the circuit of the payment service.

    REDIS_URL=redis://localhost:6379/0 PAYMENTS_URL=http://localhost:9000 \\
        uvicorn examples.fastapi_app:app --workers 4

`POST /charge/7` is 200; 502 when the payment service failed; 503 with Retry-After, at once, while its circuit is open.
If the payment service refuses this one order (404, 422, ...), its status is passed on and the circuit counts nothing.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from fastapi import FastAPI, HTTPException, Request

from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry
from ha_rag.transports import AiohttpGuard

PAYMENTS_URL = os.environ.get("PAYMENTS_URL", "http://localhost:9000")
POLICY = CircuitPolicy(min_samples=5, failure_threshold=0.5, recovery_timeout_s=10.0)
REFUSED = (400, 404, 409, 422)  # says that this order is wrong; the payment service works


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Each worker joins the fleet when it starts and leaves when it stops."""
    async with (
        CircuitRegistry.connect(os.environ.get("REDIS_URL"), namespace="shop") as circuits,
        aiohttp.ClientSession(
            middlewares=[AiohttpGuard(circuits, POLICY, name=lambda host, port: "payments", timeout_s=2.0)],
            timeout=aiohttp.ClientTimeout(total=2),
        ) as session,
    ):
        yield {"session": session}


app = FastAPI(lifespan=lifespan)


@app.post("/charge/{order}")
async def charge(order: int, request: Request) -> dict[str, str]:
    """Charges an order."""
    try:
        async with request.state.session.post(f"{PAYMENTS_URL}/charge/{order}") as reply:
            reply.raise_for_status()
            return {"charged": await reply.text()}
    except CircuitOpenError as refused:
        headers = {"Retry-After": str(round(refused.retry_after_s or 0) + 1)}
        raise HTTPException(503, "payments are unavailable; nothing was charged", headers=headers) from refused
    except (aiohttp.ClientError, TimeoutError) as error:
        if isinstance(error, aiohttp.ClientResponseError) and error.status in REFUSED:
            raise HTTPException(error.status, f"payments refused order {order}") from error
        raise HTTPException(502, "payments failed") from error
