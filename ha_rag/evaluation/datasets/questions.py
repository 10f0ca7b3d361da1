"""questions.jsonl: one question a line with `text`, the document that answers it (`passage`) and the words that do.

    {"_id": "q1", "text": "When was the bridge built?", "passage": "bridge.md", "answers": ["1894", "in 1894"]}

A corpus.jsonl beside it holds the documents; without one, they are those of the index. `passage` may be a list. A
question with `"impossible": true` names no passage: that the documents do not answer it is known. One that the
simulated provider made has `"simulated": true`, and the data set's name says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ha_rag.errors import ConfigurationError
from ha_rag.evaluation.datasets.corpus import read_corpus
from ha_rag.evaluation.datasets.dataset import Dataset, DatasetDocument, JudgedQuestion
from ha_rag.evaluation.datasets.lines import Problems, digest_of, identity, objects, words_of

CORPUS, QUESTIONS = "corpus.jsonl", "questions.jsonl"


def read_questions(file: Path, name: str) -> Dataset:
    """The data set of a questions.jsonl, with the corpus.jsonl beside it. Raises ConfigurationError."""
    problems = Problems()
    corpus = file.parent / CORPUS
    documents = read_corpus(corpus, problems) if corpus.is_file() else None
    questions: dict[str, JudgedQuestion] = {}
    simulated = False
    for place, fields in objects(file, problems):
        question = _question(fields, place, documents, problems)
        if question is not None and question.id in questions:
            problems.add(place, f"has the id {question.id!r}, as an earlier line has")
        elif question is not None:
            questions[question.id] = question
            simulated |= fields.get("simulated") is True
    problems.raise_any()
    if not questions:
        raise ConfigurationError(f"{file}: holds no questions")
    digest = digest_of(file, *([corpus] if documents is not None else []))
    return Dataset(f"{name} (simulated questions)" if simulated else name, tuple(questions.values()), documents, digest)


def _question(
    fields: dict[str, Any], place: str, documents: Mapping[str, DatasetDocument] | None, problems: Problems
) -> JudgedQuestion | None:
    name, text = identity(fields, place, problems), words_of(fields, "text", place, problems)
    impossible = fields.get("impossible") is True
    passages, gold = _texts(fields.get("passage")), _texts(fields.get("answers", []))
    if gold is None:
        problems.add(place, '"answers" must be a list of strings')
    if impossible:
        passages = []
    elif not passages:
        problems.add(place, '"passage" must be the id of the document that answers, or a list of ids')
    unknown = [key for key in passages or () if documents is not None and key not in documents]
    for key in unknown:
        problems.add(place, f"the passage {key!r} is not in {CORPUS}")
    if name is None or text is None or passages is None or gold is None or unknown:
        return None
    return JudgedQuestion(name, text, dict.fromkeys(passages, 1), tuple(gold), impossible)


def _texts(value: object) -> list[str] | None:
    values = [value] if isinstance(value, str | int) else value
    if not isinstance(values, list) or not all(isinstance(one, str | int) and str(one).strip() for one in values):
        return None
    return [str(one) for one in values]
