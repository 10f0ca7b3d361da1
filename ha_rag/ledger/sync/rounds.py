"""Rounds: work that is done again and again, whatever goes wrong in one of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ha_rag.errors import LedgerError

log = logging.getLogger(__name__)

Round = Callable[[], Awaitable[None]]


async def forever(round_: Round, retry_s: Callable[[], float]) -> None:
    """Round after round; after one that went wrong, `retry_s()` seconds later."""
    while True:
        if not await once(round_):
            await asyncio.sleep(retry_s())


async def once(round_: Round) -> bool:
    """One round; whether it went well. What nobody foresaw is logged, and must not silence a replica for ever."""
    try:
        await round_()
    except LedgerError as error:
        log.debug("the ledger: %s", error)
        return False
    except Exception:
        log.exception("a round of the sync with the ledger failed")
        return False
    return True
