"""Runs a step again and again, whatever fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ha_rag.errors import LedgerError

log = logging.getLogger(__name__)

Step = Callable[[], Awaitable[None]]


async def run_forever(step: Step, retry_s: Callable[[], float]) -> None:
    """Runs `step` repeatedly; after a failure it waits `retry_s()` seconds. Runs until cancelled."""
    while True:
        if not await run_once(step):
            await asyncio.sleep(retry_s())


async def run_once(step: Step) -> bool:
    """Runs `step` once; returns whether it succeeded. Unexpected errors are logged, so that the loop goes on."""
    try:
        await step()
    except LedgerError as error:
        log.debug("the ledger: %s", error)
        return False
    except Exception:
        log.exception("a step of the ledger sync failed")
        return False
    return True
