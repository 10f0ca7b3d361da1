"""Small data sets, written to a folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

TEXTS = {
    "bridge": "The bridge over the river Aare was built in 1894 by the engineer Rosa Keller.",
    "mill": "The old mill grinds rye and wheat every Thursday, and closes in winter.",
    "tower": "The tower is 41 metres high; its bell weighs two tons and rings at noon.",
}
QUESTIONS: list[dict[str, Any]] = [
    {"_id": "q1", "text": "When was the bridge built?", "passage": "bridge", "answers": ["1894"]},
    {"_id": "q2", "text": "On which day does the mill grind rye?", "passage": "mill", "answers": ["Thursday"]},
    {"_id": "q3", "text": "How high is the tower?", "passage": "tower", "answers": ["41 metres"]},
]


def lines(file: Path, objects: Iterable[Mapping[str, Any]]) -> Path:
    """Writes JSON Lines."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(one) + "\n" for one in objects))
    return file


def corpus(folder: Path) -> Path:
    return lines(folder / "corpus.jsonl", ({"_id": key, "title": "", "text": text} for key, text in TEXTS.items()))


def beir(folder: Path) -> Path:
    """BEIR's layout; the document of each question is graded 2, and "mill" is also of interest to the third."""
    corpus(folder)
    lines(folder / "queries.jsonl", ({"_id": q["_id"], "text": q["text"]} for q in QUESTIONS))
    rows = [f"{q['_id']}\t{q['passage']}\t2" for q in QUESTIONS] + ["q3\tmill\t1", "q3\tbridge\t0"]
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(rows) + "\n")
    return folder


def questions(folder: Path) -> Path:
    """questions.jsonl and the corpus beside it."""
    corpus(folder)
    lines(folder / "questions.jsonl", QUESTIONS)
    return folder


def squad(file: Path, *, impossible: bool = False) -> Path:
    """SQuAD's JSON, with a question that nothing answers if that is wished."""
    paragraphs: list[dict[str, Any]] = [
        {
            "context": TEXTS[q["passage"]],
            "qas": [{"id": q["_id"], "question": q["text"], "answers": [{"text": a} for a in q["answers"]]}],
        }
        for q in QUESTIONS
    ]
    if impossible:
        asked = {"id": "q4", "question": "Who owns the aeroplane?", "answers": [], "is_impossible": True}
        paragraphs[0]["qas"].append(asked)
    file.write_text(json.dumps({"version": "1.1", "data": [{"title": "Town", "paragraphs": paragraphs}]}))
    return file
