"""The layout of BEIR: corpus.jsonl, queries.jsonl, and qrels/test.tsv with query, document and relevance.

Source: https://github.com/beir-cellar/beir/wiki/Load-your-custom-dataset
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ha_rag.errors import ConfigurationError
from ha_rag.evaluation.datasets.corpus import read_corpus
from ha_rag.evaluation.datasets.dataset import Dataset, DatasetDocument, JudgedQuestion
from ha_rag.evaluation.datasets.lines import Problems, digest_of, identity, objects, text_of, words_of

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels/test.tsv"


def read_beir(folder: Path) -> Dataset:
    """The data set in `folder`. Raises ConfigurationError with what is wrong, by file and line."""
    files = [folder / name for name in (CORPUS, QUERIES, QRELS)]
    if missing := [file for file in files if not file.is_file()]:
        raise ConfigurationError(*(f"{file}: no such file" for file in missing))
    problems = Problems()
    documents = read_corpus(files[0], problems)
    queries = _read_queries(files[1], problems)
    judged = _read_qrels(files[2], queries, documents, problems)
    problems.raise_any()
    questions = tuple(JudgedQuestion(key, text, judged[key]) for key, text in queries.items() if judged.get(key))
    if not questions:
        raise ConfigurationError(f"{files[2]}: judges no document to be relevant to any question")
    return Dataset(folder.resolve().name, questions, documents, digest_of(*files), len(queries) - len(questions))


def _read_queries(file: Path, problems: Problems) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, fields in objects(file, problems):
        name, text = identity(fields, place, problems), words_of(fields, "text", place, problems)
        if name is not None and name in found:
            problems.add(place, f"has the id {name!r}, as an earlier line has")
        elif name is not None and text is not None:
            found[name] = text
    if not found:
        problems.raise_any()
        raise ConfigurationError(f"{file}: holds no questions")
    return found


def _read_qrels(
    file: Path, queries: Mapping[str, str], documents: Mapping[str, DatasetDocument], problems: Problems
) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = {}
    for number, line in enumerate(text_of(file).splitlines(), start=1):
        fields = [field.strip() for field in line.split("\t")]
        if not line.strip() or (number == 1 and not _is_number(fields[-1])):  # the header
            continue
        place = f"{file}, line {number}"
        if len(fields) != 3:
            problems.add(place, f"must be query, document and relevance with tabs between them, not {line[:60]!r}")
            continue
        query, document, score = fields
        if not _is_number(score):
            problems.add(place, f"the relevance {score[:20]!r} must be a whole number")
        elif query not in queries:
            problems.add(place, f"the question {query!r} is not in {QUERIES}")
        elif document not in documents:
            problems.add(place, f"the document {document!r} is not in {CORPUS}")
        elif int(score) > 0:
            judged.setdefault(query, {})[document] = int(score)
    return judged


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()
