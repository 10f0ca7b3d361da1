"""If the documents could not be searched, the text says so: a client may show nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ha_rag.circuit.state import CircuitState
from ha_rag.components.generators.extractive import ExtractiveGenerator
from ha_rag.components.generators.prompt import NOT_SEARCHED, numbered
from ha_rag.components.generators.scripted import FallbackGenerator, PrimaryGenerator
from ha_rag.errors import ServiceError
from ha_rag.messages import Answer, Generation, Passage
from ha_rag.strategy.streaming import AnswerDone, AnswerPiece
from tests.strategy.scripted import HANGS, Scripted, ScriptedStream
from tests.strategy.virtual_time import in_virtual_time
from tests.system.rag import Bench

DOWN = ServiceError("down", status=500)
OUT = "The documents cannot be searched at the moment (t1 and t2 are out of order)"
NOTHING = ("found nothing", "no passage", "No passages were found")


class Prompted(Scripted):
    """Repeats what a language model would be given instead of passages."""

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        self.calls.append((question, passages))
        return Generation(numbered(passages))


async def _told(bench: Bench, timeout_s: float, *, stream: bool) -> tuple[str, Answer]:
    if not stream:
        answer = await bench.rag.query("How?", timeout_s=timeout_s)
        return answer.text, answer
    text = ""
    async for event in bench.rag.stream("How?", timeout_s=timeout_s):
        if isinstance(event, AnswerPiece):
            text += event.text
        elif isinstance(event, AnswerDone):
            assert event.answer.text == text
            return text, event.answer
    raise AssertionError("the stream has no end")


def told(bench: Bench, timeout_s: float = 30.0, *, stream: bool) -> tuple[str, Answer]:
    return in_virtual_time(lambda: _told(bench, timeout_s, stream=stream))


both_ways = pytest.mark.parametrize("stream", [False, True], ids=["query", "stream"])
every_generator = pytest.mark.parametrize(
    "generator",
    [
        ExtractiveGenerator(),
        PrimaryGenerator(),
        FallbackGenerator(),
        Prompted(),
        Scripted((DOWN,)),
        ScriptedStream(("I do ", "not know.")),
    ],
    ids=lambda generator: type(generator).__name__,
)


@both_ways
@every_generator
def test_the_text_begins_with_what_is_out_whoever_generates_it(generator: Scripted, stream: bool) -> None:
    text, answer = told(Bench(retrievers=[Scripted((DOWN,)), Scripted((DOWN,))], generators=[generator]), stream=stream)
    assert text.startswith(OUT)
    assert not any(words in text for words in NOTHING)
    assert answer.degraded_stages[0] == "retriever"


@both_ways
def test_circuits_that_are_open_are_out_too(stream: bool) -> None:
    bench = Bench()
    for name in ("retriever.t1", "retriever.t2"):
        bench.circuits.breakers[name].state = CircuitState.OPEN
    assert told(bench, stream=stream)[0].startswith(OUT)


@both_ways
def test_one_that_is_out_is_named_alone(stream: bool) -> None:
    text, _ = told(Bench(retrievers=[Scripted((DOWN,))]), stream=stream)
    assert "(t1 is out of order)" in text


@both_ways
@every_generator
def test_a_search_that_finds_nothing_is_not_out(generator: Scripted, stream: bool) -> None:
    text, answer = told(Bench(retrievers=[Scripted((DOWN,)), Scripted(([],))], generators=[generator]), stream=stream)
    assert "cannot be searched" not in text
    assert answer.served_by["retriever"] == "t2"


@both_ways
def test_a_language_model_is_told_that_the_search_is_out(stream: bool) -> None:
    text, _ = told(Bench(retrievers=[Scripted((DOWN,))], generators=[Prompted()]), stream=stream)
    assert text.endswith(f"\n\n{NOT_SEARCHED}")


@both_ways
def test_too_little_time_to_search_is_said(stream: bool) -> None:
    text, answer = told(Bench(retrievers=[Scripted((HANGS,))], timeout_s=5.0), 1.0, stream=stream)
    assert text.startswith("There was not enough time to search the documents")
    assert answer.served_by["retriever"] == "none"


@both_ways
def test_too_little_time_to_answer_is_said_with_the_passages(stream: bool) -> None:
    text, _ = told(Bench(generators=[Scripted((HANGS,))], timeout_s=5.0), 1.0, stream=stream)
    assert text.startswith(
        "There was not enough time to generate an answer within the time limit of this question, but"
    )
    assert "[1] Title 1: text 1" in text


@both_ways
def test_without_any_retriever_nothing_is_out(stream: bool) -> None:
    text, _ = told(Bench(retrievers=[]), stream=stream)
    assert "searched" not in text
