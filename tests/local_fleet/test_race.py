"""Whom a request is given to, and whose reply counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ha_rag.local_fleet.race import NoReplyError, first_reply
from tests.strategy.virtual_time import in_virtual_time

SOON_S = 0.01
NEVER_S = 3600.0


class Runners:
    """Runners "a", "b", "c", each with a behaviour; remembers who was asked, called off and discarded."""

    def __init__(self, **behaviour: Callable[[], Awaitable[str]]) -> None:
        self._behaviour = behaviour
        self.asked: list[str] = []
        self.called_off: list[str] = []
        self.discarded: list[str] = []

    async def ask(self, name: str) -> str:
        self.asked.append(name)
        try:
            return await self._behaviour[name]()
        except asyncio.CancelledError:
            self.called_off.append(name)
            raise

    async def race(
        self, *, repeatable: bool = True, hedged: bool = True, patience_s: float = NEVER_S
    ) -> tuple[str, str]:
        async with asyncio.timeout(5):
            return await first_reply(
                list(self._behaviour),
                self.ask,
                repeatable=repeatable,
                hedged=hedged,
                patience_s=patience_s,
                discard=self.discarded.append,
            )


async def good() -> str:
    return "reply"


async def silent() -> str:
    await asyncio.Event().wait()
    raise AssertionError


async def refused() -> str:
    raise NoReplyError("refused", untouched=True)


async def broken() -> str:
    raise NoReplyError("broken off", untouched=False)


async def test_the_first_runner_that_replies_is_the_only_one_asked() -> None:
    runners = Runners(a=good, b=good)
    assert await runners.race() == ("a", "reply")
    assert runners.asked == ["a"]


async def test_a_refused_connection_is_given_to_the_next() -> None:
    runners = Runners(a=refused, b=good)
    assert await runners.race(repeatable=False) == ("b", "reply")


async def late() -> str:
    raise NoReplyError("not accepted", untouched=True, late=True)


async def test_a_runner_that_was_late_is_asked_once_more_after_all_others() -> None:
    replies = iter([late, good])

    async def late_once() -> str:
        return await next(replies)()

    runners = Runners(a=late_once, b=refused)
    assert await runners.race(repeatable=False) == ("a", "reply")
    assert runners.asked == ["a", "b", "a"]


async def test_a_runner_that_is_late_twice_is_given_up() -> None:
    runners = Runners(a=late, b=late)
    with pytest.raises(NoReplyError, match="not accepted"):
        await runners.race()
    assert runners.asked == ["a", "b", "a", "b"]


async def test_a_broken_reply_is_given_to_the_next_where_asking_twice_does_no_harm() -> None:
    runners = Runners(a=broken, b=broken, c=good)
    assert await runners.race() == ("c", "reply")


async def test_a_broken_reply_is_told_where_asking_twice_might_do_harm() -> None:
    runners = Runners(a=broken, b=good)
    with pytest.raises(NoReplyError, match="broken off"):
        await runners.race(repeatable=False)
    assert runners.asked == ["a"]


async def test_silence_makes_one_more_runner_asked_and_the_loser_is_called_off() -> None:
    runners = Runners(a=silent, b=good, c=good)
    assert await runners.race(patience_s=SOON_S) == ("b", "reply")
    assert (runners.asked, runners.called_off) == (["a", "b"], ["a"])


def test_no_third_runner_is_asked_for_silence() -> None:
    runners = Runners(a=silent, b=silent, c=good)

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            await runners.race(patience_s=SOON_S)

    in_virtual_time(scenario)
    assert runners.asked == ["a", "b"]
    assert runners.called_off == ["a", "b"]


async def test_a_second_runner_that_breaks_after_silence_is_followed_by_the_first_ones_late_reply() -> None:
    late = asyncio.Event()

    async def slow() -> str:
        await late.wait()
        return "late"

    async def breaks() -> str:
        late.set()
        raise NoReplyError("broken off", untouched=False)

    assert await Runners(a=slow, b=breaks).race(patience_s=SOON_S) == ("a", "late")


async def test_a_request_that_must_not_run_twice_waits_through_silence() -> None:
    runners = Runners(a=silent, b=good)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10 * SOON_S):
            await runners.race(repeatable=False, patience_s=SOON_S)
    assert runners.asked == ["a"]


async def test_a_large_request_waits_through_silence_and_is_still_asked_again_after_a_failure() -> None:
    silence, failure = Runners(a=silent, b=good), Runners(a=broken, b=good)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10 * SOON_S):
            await silence.race(hedged=False, patience_s=SOON_S)
    assert silence.asked == ["a"]
    assert await failure.race(hedged=False) == ("b", "reply")


async def test_a_reply_that_comes_second_is_closed() -> None:
    gate = asyncio.Event()

    async def stubborn() -> str:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            return "too late"
        return "too early"

    runners = Runners(a=stubborn, b=good)
    assert await runners.race(patience_s=SOON_S) == ("b", "reply")
    assert runners.discarded == ["too late"]


async def test_where_nobody_replies_the_last_failure_is_raised() -> None:
    with pytest.raises(NoReplyError, match="broken off"):
        await Runners(a=refused, b=broken).race()
