"""Questions on two sets of documents, asked of every tier that answers without any service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.answers.judging import HANDBOOK, OPERATIONS, HandbookQuestion, handbook_questions
from tests.answers.offline_tiers import TIERS, Found, found_by, indexed, said_by

pytest.importorskip("wordllama")

SETS = {"handbook": (HANDBOOK, "questions.toml", 60), "operations": (OPERATIONS, "operations.toml", 72)}
LEAST_RIGHT = {
    ("handbook", "extractive"): 50,
    ("handbook", "words alone"): 50,
    ("handbook", "no embedder"): 50,
    ("handbook", "reduced"): 50,
    ("operations", "extractive"): 60,
}
"""Of the default tiers and of outages. Simulated and scripted tiers only have to be harmless."""


@pytest.fixture(scope="module", params=SETS)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    documents, file, count = SETS[request.param]
    questions = handbook_questions(file)
    assert len(questions) == count
    with indexed(tmp_path_factory.mktemp("index"), documents) as index:
        yield Found(request.param, questions, index)


@pytest.mark.parametrize("tier", TIERS)
async def test_answers_are_right_and_none_is_dangerous(asked: Found, tier: str) -> None:
    texts = await said_by(tier, asked.questions, await found_by(tier, asked.questions, asked.index))
    judged = list(zip(asked.questions, texts, strict=True))
    wrong = [question.number for question, text in judged if question.verdict(text) != "right"]
    dangerous = [(question.ask, text) for question, text in judged if question.is_dangerous(text)]
    assert dangerous == []
    assert len(judged) - len(wrong) >= LEAST_RIGHT.get((asked.name, tier), 40), wrong


def test_half_of_the_questions_was_held_back_while_tuning() -> None:
    questions: list[HandbookQuestion] = handbook_questions()
    assert sum(question.tuned for question in questions) == 30
