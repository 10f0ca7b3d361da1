"""Search by words on XQuAD (public research data, kept outside the project), in languages with and without spaces.

Nothing was tuned on the questions at odd places, which are measured by themselves, too.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ha_rag.index import Index, ingest
from tests.index.places import found

XQUAD = Path(os.environ.get("HA_RAG_XQUAD", Path(__file__).parents[3] / "shared/data/xquad"))
NEEDED = pytest.mark.skipif(not (XQUAD / "en").exists(), reason=f"XQuAD is not at {XQUAD} (HA_RAG_XQUAD)")


@NEEDED
@pytest.mark.parametrize(
    ("language", "everywhere", "odd_places"),
    [("en", 0.928, 0.928), ("de", 0.879, 0.879), ("zh", 0.92, 0.91), ("th", 0.88, 0.88)],
)
async def test_the_paragraph_that_answers_a_question_is_the_first_result(
    tmp_path: Path, language: str, everywhere: float, odd_places: float
) -> None:
    lines = (XQUAD / language / "questions.jsonl").read_text().splitlines()
    with Index(tmp_path) as index:
        await ingest([XQUAD / language / "corpus.jsonl"], index, {})
        right = [found(index, question["text"], 1) == [question["passage"]] for question in map(json.loads, lines)]
    assert sum(right) / len(right) >= everywhere
    assert sum(right[1::2]) / len(right[1::2]) >= odd_places
