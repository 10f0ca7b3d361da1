"""Work in the background of a replica: what nobody foresaw in it is said, and a cancellation is nothing of the kind."""

from __future__ import annotations

import asyncio

import pytest

from ha_rag.ledger.sync.errands import Errands


async def fails() -> None:
    raise RuntimeError("what is this?")


@pytest.mark.provokes_errors
async def test_an_error_that_nobody_foresaw_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    errands = Errands()
    errands.open()
    await asyncio.wait({errands.run(fails())})
    await asyncio.sleep(0)
    (said,) = caplog.records
    assert said.message == "a part of the sync with the ledger ended in an error"
    assert said.exc_info is not None
    assert str(said.exc_info[1]) == "what is this?"
    assert len(errands) == 0


async def test_what_is_cancelled_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    errands = Errands()
    errands.open()
    errands.run(asyncio.Event().wait())
    await errands.end()
    assert len(errands) == 0
    assert caplog.records == []


async def test_without_a_loop_no_errand_is_taken() -> None:
    errands = Errands()
    assert not errands.soon(lambda: pytest.fail("nobody runs this"))
    errands.open()
    assert errands.is_open
    assert errands.here
    assert errands.close()
    assert not errands.close()
    assert not errands.soon(lambda: pytest.fail("nobody runs this"))


async def test_last_words_are_taken_until_all_has_ended() -> None:
    errands, said = Errands(), asyncio.Event()
    errands.open()
    errands.close()
    assert not errands.here
    assert errands.soon(said.set, last=True)
    await said.wait()
    await errands.end()
    assert not errands.soon(lambda: pytest.fail("nobody runs this"), last=True)


def test_a_loop_that_has_closed_meanwhile_takes_none() -> None:
    errands = Errands()

    async def opened() -> None:
        errands.open()

    asyncio.run(opened())
    assert not errands.soon(lambda: pytest.fail("nobody runs this"))
