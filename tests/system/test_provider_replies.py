"""What becomes of a provider's reply: what the client gets, what the attempt says, what the circuit counts."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from ha_rag.components.generators import openai
from ha_rag.components.generators.openai import OpenAIGenerator
from ha_rag.components.service_config import ServiceConfig
from ha_rag.interfaces import Generator
from ha_rag.messages import Answer, Generation
from ha_rag.outcomes import Outcome
from ha_rag.strategy import FallbackStrategy, Tier
from ha_rag.strategy.streaming import AnswerBroken, AnswerDone, AnswerPiece
from ha_rag.system import HighAvailabilityRAG
from tests.components.canned import canned_service
from tests.strategy.scripted import Scripted, ScriptedCircuits
from tests.system.broken_replies import BROKEN
from tests.system.good_replies import GOOD
from tests.system.provider_replies import BEGUN, FIRST, STOP, Row, raw
from tests.system.refused_replies import REFUSED
from tests.waiting import PATIENCE_S

ROWS = [*GOOD, *BROKEN, *REFUSED]
NEXT_TIER = "From the next tier [1]."
CIRCUIT = "generator.primary"


class Asked:
    """A question to a provider that answers with `answered`, and what came of it."""

    def __init__(self) -> None:
        self.circuits = ScriptedCircuits()
        self.pieces: list[str] = []
        self.answer: Answer | None = None
        self.broken = ""

    async def ask(self, answered: bytes, *, stream: bool, hangs: bool = False) -> None:
        async with canned_service(answered, hangs=hangs) as service:
            primary = OpenAIGenerator(ServiceConfig(base_url=service.base_url, timeout_s=PATIENCE_S), model="m")
            generators: list[Tier[Generator]] = [
                Tier("primary", primary, 5.0),
                Tier("next", Scripted((Generation(NEXT_TIER),)), 5.0),
            ]
            strategy = FallbackStrategy(embedders=[Scripted()], retrievers=[Scripted()], generators=generators)
            async with HighAvailabilityRAG(strategy, self.circuits) as rag:
                await (self._stream(rag) if stream else self._query(rag))
            await primary.aclose()

    async def _query(self, rag: HighAvailabilityRAG) -> None:
        self.answer = await rag.query("How?")
        self.pieces = [self.answer.text]

    async def _stream(self, rag: HighAvailabilityRAG) -> None:
        async with aclosing(rag.stream("How?")) as events:
            async for event in events:
                match event:
                    case AnswerPiece():
                        self.pieces.append(event.text)
                    case AnswerDone() | AnswerBroken():
                        self.answer = event.answer
                        self.broken = getattr(event, "reason", "")

    @property
    def text(self) -> str:
        return "".join(self.pieces)


async def asked(row: Row, *, stream: bool) -> tuple[Asked, Answer]:
    question = Asked()
    await question.ask(row.answered, stream=stream)
    assert question.answer is not None
    (attempt,) = (each for each in question.answer.attempts if each.circuit == CIRCUIT)
    assert (attempt.outcome, row.says in attempt.reason) == (row.outcome, True), attempt.reason
    assert question.circuits[CIRCUIT].reported == [row.outcome]
    return question, question.answer


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_reply_to_a_plain_question(row: Row) -> None:
    question, answer = await asked(row, stream=False)
    if not row.is_good:
        assert (question.text, answer.served_by["generator"]) == (NEXT_TIER, "next")
        return
    assert question.text == (row.text if row.in_query is None else row.in_query).strip()
    assert (answer.finish_reason, answer.truncated) == (row.finish, row.finish != "stop")
    assert not answer.degraded


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_reply_to_a_question_that_asks_for_a_stream(row: Row) -> None:
    question, answer = await asked(row, stream=True)
    if row.is_good:
        assert (question.text, question.broken) == (row.text, "")
        assert (answer.finish_reason, answer.truncated) == (row.finish, row.finish != "stop")
        assert not answer.degraded
    elif row.text:
        assert question.text == row.text
        assert row.says in question.broken
        assert (answer.finish_reason, answer.truncated) == ("error", True)
    else:
        assert (question.text, answer.served_by["generator"], question.broken) == (NEXT_TIER, "next", "")


async def test_a_stream_that_is_cut_after_its_end_is_whole() -> None:
    cut = raw(f"data: {FIRST}\n\ndata: {STOP}\n\n".encode(), "text/event-stream", Content_Length="9999")
    question, _ = await asked(Row("", cut), stream=True)
    assert (question.text, question.broken) == (BEGUN, "")


async def test_a_service_that_says_nothing_more_after_the_end_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai, "AFTER_END_S", 0.01)
    open_for_ever = raw(f"data: {FIRST}\n\ndata: {STOP}\n\n".encode(), "text/event-stream", Content_Length="9999")
    question = Asked()
    await question.ask(open_for_ever, stream=True, hangs=True)
    assert (question.text, question.broken) == (BEGUN, "")
    assert question.circuits[CIRCUIT].reported == [Outcome.OK]


def test_there_are_at_least_a_hundred_replies_of_different_names() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 100
