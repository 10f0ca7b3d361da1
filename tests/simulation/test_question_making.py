"""The simulated provider makes questions that `ha-rag evaluate --questions` can use, and stops at a limit on tokens."""

from __future__ import annotations

import pytest

from ha_rag.components.generators.prompt import chat_messages
from ha_rag.evaluation.making_questions import WISH
from ha_rag.evaluation.measures import has_gold
from ha_rag.messages import Passage
from ha_rag.simulation.chat import ChatRequest, answer_to, whole_reply
from ha_rag.simulation.question_making import made_question
from ha_rag.simulation.wire import BadRequestError

TEXTS = {
    "a number": ("The bridge is old. Rosa Keller built it in 1894 near Bern.", "1894"),
    "no number": ("A circuit recovers by a probe.", "recovers"),
    "German": ("Die Brücke wurde im Jahr 1.894 gebaut.", "1.894"),
    "Chinese": ("这座桥建于1894年,由工程师罗莎主持建造。", "1894"),
    "a quotation": ('She said "the bridge holds" in 1894.', "1894"),
}


def asked(text: str) -> str:
    return answer_to(str(chat_messages(WISH, [Passage("d", "d#0", text)])[-1]["content"]))


@pytest.mark.parametrize(("text", "answer"), TEXTS.values(), ids=TEXTS)
def test_a_question_has_a_gap_where_the_passage_has_the_answer(text: str, answer: str) -> None:
    reply = asked(text)

    assert reply.startswith("(Simulated answer) ")
    question, found = reply.removeprefix("(Simulated answer) Question: ").split("\nAnswer: ")
    assert found == answer
    assert has_gold(text, [found])
    assert "___" in question
    assert answer not in question


@pytest.mark.parametrize("text", ["", "Yes.", "word " * 100])
def test_a_passage_that_cannot_be_asked_about_makes_no_question(text: str) -> None:
    assert made_question([Passage("d", "d#0", text)]) == ""
    assert made_question([]) == ""


def request(**more: object) -> ChatRequest:
    content = chat_messages("How does a circuit recover?", [Passage("d", "d#0", "A circuit recovers by a probe.")])
    return ChatRequest({"model": "gpt", "messages": content, **more})


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_an_answer_ends_where_the_request_s_limit_is_reached(name: str) -> None:
    short, whole = (str(whole_reply(request(**more))) for more in ({name: 7}, {name: 1000}))

    assert '"finish_reason":"length"' in short
    assert '"content":"(Simulated answer) A circuit"' in short
    assert '"finish_reason":"stop"' in whole


@pytest.mark.parametrize("limit", [0, -1, 2.5, "7", True])
def test_a_limit_that_is_no_number_of_tokens_is_refused(limit: object) -> None:
    with pytest.raises(BadRequestError, match="max_tokens must be a whole number from 1"):
        request(max_tokens=limit)
