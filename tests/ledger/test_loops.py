"""Loops go on after a failed step, with a delay."""

from __future__ import annotations

import asyncio
import logging

import pytest

from ha_rag.errors import LedgerUnavailableError
from ha_rag.ledger.sync.loops import run_forever
from tests.strategy.virtual_time import in_virtual_time


@pytest.mark.provokes_errors
@pytest.mark.parametrize(
    ("error", "level", "logged"),
    [
        (LedgerUnavailableError("nobody answers"), logging.DEBUG, "the ledger: nobody answers"),
        (ZeroDivisionError("nobody foresaw this"), logging.ERROR, "a step of the ledger sync failed"),
    ],
)
def test_a_failed_step_is_logged_and_retried_after_a_delay(
    error: Exception, level: int, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    began_s: list[float] = []

    async def fails() -> None:
        began_s.append(asyncio.get_running_loop().time())
        if len(began_s) == 3:
            raise asyncio.CancelledError
        raise error

    async def scenario() -> None:
        with pytest.raises(asyncio.CancelledError):
            await run_forever(fails, lambda: 2.0)

    in_virtual_time(scenario)
    assert [at_s - began_s[0] for at_s in began_s] == pytest.approx([0.0, 2.0, 4.0])
    said = [record for record in caplog.records if record.name == "ha_rag.ledger.sync.loops"]
    assert [(record.levelno, record.message) for record in said] == [(level, logged)] * 2


def test_a_successful_step_is_followed_by_the_next_at_once() -> None:
    rounds: list[float] = []

    async def succeeds() -> None:
        rounds.append(asyncio.get_running_loop().time())
        if len(rounds) == 3:
            raise asyncio.CancelledError

    async def scenario() -> None:
        with pytest.raises(asyncio.CancelledError):
            await run_forever(succeeds, lambda: 2.0)

    in_virtual_time(scenario)
    assert len(set(rounds)) == 1
