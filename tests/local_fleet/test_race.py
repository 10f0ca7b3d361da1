"""Whom a request is given to, and whose reply counts. Time is virtual: silence lasts as long as it says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ha_rag.local_fleet.race import NoReplyError, first_reply
from tests.strategy.virtual_time import in_virtual_time

SILENCE_S = 2.0
LONG_S = 20 * SILENCE_S


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

    def race(self, *, repeatable: bool = True, hedged: bool = True) -> tuple[str, str]:
        """Raises TimeoutError if nobody has replied after `LONG_S`."""

        async def scenario() -> tuple[str, str]:
            async with asyncio.timeout(LONG_S):
                return await first_reply(
                    list(self._behaviour),
                    self.ask,
                    repeatable=repeatable,
                    hedged=hedged,
                    patience_s=SILENCE_S,
                    discard=self.discarded.append,
                )

        return in_virtual_time(scenario)


async def good() -> str:
    return "reply"


async def silent() -> str:
    await asyncio.Event().wait()
    raise AssertionError


async def refused() -> str:
    raise NoReplyError("refused", untouched=True)


async def broken() -> str:
    raise NoReplyError("broken off", untouched=False)


def test_the_first_runner_that_replies_is_the_only_one_asked() -> None:
    runners = Runners(a=good, b=good)
    assert runners.race() == ("a", "reply")
    assert runners.asked == ["a"]


def test_a_refused_connection_is_given_to_the_next() -> None:
    runners = Runners(a=refused, b=good)
    assert runners.race(repeatable=False) == ("b", "reply")


async def late() -> str:
    raise NoReplyError("not accepted", untouched=True, late=True)


def test_a_runner_that_was_late_is_asked_once_more_after_all_others() -> None:
    replies = iter([late, good])

    async def late_once() -> str:
        return await next(replies)()

    runners = Runners(a=late_once, b=refused)
    assert runners.race(repeatable=False) == ("a", "reply")
    assert runners.asked == ["a", "b", "a"]


def test_a_runner_that_is_late_twice_is_given_up() -> None:
    runners = Runners(a=late, b=late)
    with pytest.raises(NoReplyError, match="not accepted"):
        runners.race()
    assert runners.asked == ["a", "b", "a", "b"]


def test_a_broken_reply_is_given_to_the_next_where_asking_twice_does_no_harm() -> None:
    runners = Runners(a=broken, b=broken, c=good)
    assert runners.race() == ("c", "reply")


def test_a_broken_reply_is_told_where_asking_twice_might_do_harm() -> None:
    runners = Runners(a=broken, b=good)
    with pytest.raises(NoReplyError, match="broken off"):
        runners.race(repeatable=False)
    assert runners.asked == ["a"]


def test_silence_makes_one_more_runner_asked_and_the_loser_is_called_off() -> None:
    runners = Runners(a=silent, b=good, c=good)
    assert runners.race() == ("b", "reply")
    assert (runners.asked, runners.called_off) == (["a", "b"], ["a"])


def test_no_third_runner_is_asked_for_silence() -> None:
    runners = Runners(a=silent, b=silent, c=good)
    with pytest.raises(TimeoutError):
        runners.race()
    assert runners.asked == ["a", "b"]
    assert runners.called_off == ["a", "b"]


def test_a_second_runner_that_breaks_after_silence_is_followed_by_the_first_ones_late_reply() -> None:
    late = asyncio.Event()

    async def slow() -> str:
        await late.wait()
        return "late"

    async def breaks() -> str:
        late.set()
        raise NoReplyError("broken off", untouched=False)

    assert Runners(a=slow, b=breaks).race() == ("a", "late")


def test_a_request_that_must_not_run_twice_waits_through_silence() -> None:
    runners = Runners(a=silent, b=good)
    with pytest.raises(TimeoutError):
        runners.race(repeatable=False)
    assert runners.asked == ["a"]


def test_a_large_request_waits_through_silence_and_is_still_asked_again_after_a_failure() -> None:
    silence, failure = Runners(a=silent, b=good), Runners(a=broken, b=good)
    with pytest.raises(TimeoutError):
        silence.race(hedged=False)
    assert silence.asked == ["a"]
    assert failure.race(hedged=False) == ("b", "reply")


def test_a_reply_that_comes_second_is_closed() -> None:
    gate = asyncio.Event()

    async def stubborn() -> str:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            return "too late"
        return "too early"

    runners = Runners(a=stubborn, b=good)
    assert runners.race() == ("b", "reply")
    assert runners.discarded == ["too late"]


def test_where_nobody_replies_the_last_failure_is_raised() -> None:
    with pytest.raises(NoReplyError, match="broken off"):
        Runners(a=refused, b=broken).race()
