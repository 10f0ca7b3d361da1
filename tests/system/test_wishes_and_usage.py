"""The asker's wishes reach generators, also in streams and probes; the usage that these report reaches the answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ha_rag.circuit.state import CircuitState
from ha_rag.components.generators.wishes import wishes
from ha_rag.messages import Answer, Generation, StreamEnding, TokenUsage
from ha_rag.strategy.streaming import AnswerDone
from tests.strategy.scripted import Scripted, ScriptedStream
from tests.strategy.virtual_time import in_virtual_time
from tests.system.rag import Bench

WISHES = "Answer in German."
USAGE = TokenUsage(30, 12)


async def done(bench: Bench, wishes: str = "") -> Answer:
    *_, last = [event async for event in bench.rag.stream("How?", wishes=wishes)]
    assert isinstance(last, AnswerDone)
    return last.answer


class Listening(Scripted):
    """A generator that keeps the wishes that it sees."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        super().__init__((self._listens,))

    def _listens(self) -> Generation:
        self.seen.append(wishes())
        return Generation("It waits.")


@pytest.mark.parametrize("probing", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_wishes_reach_the_generator(streamed: bool, probing: bool) -> None:
    generator = Listening()
    bench = Bench(generators=[generator])
    breaker = bench.circuits["generator.t1"]
    if probing:
        breaker.state, breaker.probing = CircuitState.HALF_OPEN, True

    async def asked() -> None:
        await (done(bench, WISHES) if streamed else bench.rag.query("How?", wishes=WISHES))
        await bench.rag.query("How?")
        assert wishes() == ""

    in_virtual_time(asked)
    assert generator.seen == [WISHES, ""]


def test_two_questions_at_once_have_their_own_wishes() -> None:
    generator = Listening()
    bench = Bench(generators=[generator])

    async def asked() -> None:
        await asyncio.gather(*(bench.rag.query("How?", wishes=f"{n} words.") for n in range(3)))

    in_virtual_time(asked)
    assert sorted(generator.seen) == ["0 words.", "1 words.", "2 words."]


@pytest.mark.parametrize("streamed", [False, True])
def test_the_usage_of_the_tier_that_served_is_the_answers(streamed: bool) -> None:
    failing = Scripted((Generation("", usage=TokenUsage(1, 0)),))
    bench = Bench(generators=[failing, Scripted((Generation("It waits.", usage=USAGE),))])
    answer = in_virtual_time(lambda: done(bench) if streamed else bench.rag.query("How?"))
    assert (answer.served_by["generator"], answer.usage) == ("t2", USAGE)


@pytest.mark.parametrize(
    ("script", "usage", "finish_reason"),
    [
        (("It waits.", StreamEnding(usage=USAGE)), USAGE, "stop"),
        (("It waits.", StreamEnding("length", USAGE)), USAGE, "length"),
        (("It waits.",), None, "stop"),
    ],
)
def test_the_end_of_a_stream_says_its_usage(script: tuple[Any, ...], usage: TokenUsage, finish_reason: str) -> None:
    answer = in_virtual_time(lambda: done(Bench(generators=[ScriptedStream(script)])))
    assert (answer.text, answer.usage, answer.finish_reason) == ("It waits.", usage, finish_reason)
