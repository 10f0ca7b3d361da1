"""A JSON file as of SQuAD and XQuAD: articles of paragraphs, each with its questions and their answers.

A document is a paragraph; its id is the number of its article and its own, from 0, as in "3-0". Questions that SQuAD
2.0 calls impossible are kept: the documents do not answer them.
Source: https://rajpurkar.github.io/SQuAD-explorer/
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ha_rag.errors import ConfigurationError
from ha_rag.evaluation.datasets.dataset import Dataset, DatasetDocument, JudgedQuestion
from ha_rag.evaluation.datasets.lines import Problems, digest_of, identity, text_of, words_of


def read_squad(file: Path) -> Dataset:
    """The data set in a file. Raises ConfigurationError with what is wrong, by its place in the file."""
    try:
        content = json.loads(text_of(file))
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{file}, line {error.lineno}: not JSON ({error.msg})") from None
    except RecursionError:
        raise ConfigurationError(f"{file}: is nested too deeply") from None
    problems = Problems()
    documents: dict[str, DatasetDocument] = {}
    questions: dict[str, JudgedQuestion] = {}
    for a, place, article in _tables(content, "data", str(file), problems):
        title = article.get("title") if isinstance(article.get("title"), str) else ""
        for p, below, paragraph in _tables(article, "paragraphs", place, problems):
            text = words_of(paragraph, "context", below, problems)
            document = DatasetDocument(f"{a}-{p}", str(title), text or "")
            documents[document.id] = document
            for _, there, asked in _tables(paragraph, "qas", below, problems):
                question = _question(asked, there, document.id, problems)
                if question is not None and question.id in questions:
                    problems.add(there, f"has the id {question.id!r}, as an earlier question has")
                elif question is not None:
                    questions[question.id] = question
    problems.raise_any()
    if not questions:
        raise ConfigurationError(f"{file}: holds no questions")
    return Dataset(file.stem, tuple(questions.values()), documents, digest_of(file))


def _tables(parent: object, key: str, place: str, problems: Problems) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """(number, place, object) of a list of objects."""
    listed = parent.get(key) if isinstance(parent, dict) else None
    if not isinstance(listed, list):
        problems.add(place, f'"{key}" must be a list, as in the JSON files of SQuAD')
        return
    for number, item in enumerate(listed):
        below = f"{place}, {key}[{number}]"
        if isinstance(item, dict):
            yield number, below, item
        else:
            problems.add(below, "must be an object")


def _question(fields: dict[str, Any], place: str, document: str, problems: Problems) -> JudgedQuestion | None:
    name, text = identity(fields, place, problems), words_of(fields, "question", place, problems)
    impossible = fields.get("is_impossible") is True
    answers = fields.get("answers", [])
    listed = answers if isinstance(answers, list) else [None]
    gold = [answer.get("text") if isinstance(answer, dict) else None for answer in listed]
    if not all(isinstance(words, str) and words.strip() for words in gold):
        problems.add(place, '"answers" must be a list of objects with a "text"')
        return None
    if not impossible and not gold:
        problems.add(place, "has no answers, and is not said to be impossible")
        return None
    if name is None or text is None:
        return None
    known = tuple(dict.fromkeys(str(words) for words in gold))
    return JudgedQuestion(name, text, {} if impossible else {document: 1}, () if impossible else known, impossible)
