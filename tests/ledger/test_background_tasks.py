"""Background tasks of a replica: unexpected errors are logged, and cancellation is not an error."""

from __future__ import annotations

import asyncio

import pytest

from ha_rag.ledger.sync.background_tasks import BackgroundTasks


async def fails() -> None:
    raise RuntimeError("what is this?")


@pytest.mark.provokes_errors
async def test_an_unexpected_error_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    background = BackgroundTasks()
    background.open()
    await asyncio.wait({background.run(fails())})
    await asyncio.sleep(0)
    (said,) = caplog.records
    assert said.message == "a background task of the ledger sync failed"
    assert said.exc_info is not None
    assert str(said.exc_info[1]) == "what is this?"
    assert len(background) == 0


async def test_a_cancelled_task_is_not_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    background = BackgroundTasks()
    background.open()
    background.run(asyncio.Event().wait())
    await background.end()
    assert len(background) == 0
    assert caplog.records == []


async def test_without_an_open_loop_no_work_is_accepted() -> None:
    background = BackgroundTasks()
    assert not background.soon(lambda: pytest.fail("nobody runs this"))
    background.open()
    assert background.is_open
    assert background.here
    assert background.close()
    assert not background.close()
    assert not background.soon(lambda: pytest.fail("nobody runs this"))


async def test_last_work_is_accepted_until_all_tasks_have_ended() -> None:
    background, said = BackgroundTasks(), asyncio.Event()
    background.open()
    background.close()
    assert not background.here
    assert background.soon(said.set, last=True)
    await said.wait()
    await background.end()
    assert not background.soon(lambda: pytest.fail("nobody runs this"), last=True)


def test_a_closed_loop_accepts_no_work() -> None:
    background = BackgroundTasks()

    async def opened() -> None:
        background.open()

    asyncio.run(opened())
    assert not background.soon(lambda: pytest.fail("nobody runs this"))
