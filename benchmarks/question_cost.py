"""What a question costs with the local tiers: processor time beside that of version 0.1.0.

    python -m benchmarks.question_cost [--languages en de zh th] [--questions 300] [--top-k 3] [--with-models]
        [--warmed]

Both versions answer the same questions of XQuAD (HA_RAG_XQUAD, default ../shared/data/xquad) in turns of twenty, so
that what else the machine does falls on both. `new`: the first time that a question is asked; `again`: the second time.
Milliseconds of processor, medians. 0.1.0 is unpacked from the repository's history.

Without `--warmed` the first questions of the file are asked of an index that nobody has asked anything before, so that
`new` contains the first reading of a passage for every question. With it the questions are taken evenly from the whole
file, and all others are asked before: passages have been read, as in a process that has run for a while.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.answers_table import LANGUAGES, ONE_THREAD, XQUAD
from tests.version_0_1_0 import unpack

HERE = Path(__file__).parent
AT_ONCE = 20


class Worker:
    """A process that answers with one version, which `environment` selects."""

    def __init__(self, environment: Mapping[str, str], folder: Path, corpus: Path, top_k: int, *flags: str) -> None:
        command = [sys.executable, str(HERE / "question_cost_worker.py"), str(folder), str(corpus), str(top_k), *flags]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder.parent,
            env={**os.environ, **ONE_THREAD, **environment},
        )  # fmt: skip
        self.read()

    def read(self) -> list[float]:
        """The milliseconds of each question of the last turn."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"a process ended with status {self._process.wait()}")
        took: list[float] = json.loads(line)
        return took

    def answer(self, questions: Sequence[str]) -> list[float]:
        """One turn."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(questions) + "\n")
        self._process.stdin.flush()
        return self.read()

    def end(self) -> None:
        """Ends the process."""
        self._process.communicate()


def measured(workers: Mapping[str, Worker], questions: Sequence[str]) -> dict[str, tuple[float, float]]:
    """For each version the median of questions that are new, and asked again."""
    took: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in workers}
    for start in range(0, len(questions), AT_ONCE):
        for name, worker in workers.items():
            for times in took[name]:
                times.extend(worker.answer(questions[start : start + AT_ONCE]))
    return {name: (statistics.median(new), statistics.median(again)) for name, (new, again) in took.items()}


def row(language: str, versions: Mapping[str, Mapping[str, str]], options: argparse.Namespace) -> str:
    """A line of the table."""
    corpus = (XQUAD / language / "corpus.jsonl").resolve()
    lines = (XQUAD / language / "questions.jsonl").read_text().splitlines()
    with tempfile.TemporaryDirectory() as folder:
        workers = {
            name: Worker(environment, Path(folder) / name, corpus, options.top_k, *(["--onnx"] * ("models" in name)))
            for name, environment in versions.items()
        }
        asked = [json.loads(line)["text"] for line in lines]
        step = max(1, len(asked) // options.questions) if options.warmed else 1
        questions = asked[::step][: options.questions]
        if options.warmed:
            for worker in workers.values():
                worker.answer([question for question in asked if question not in questions])
        found = measured(workers, questions)
        for worker in workers.values():
            worker.end()
    old = found["0.1.0"]
    parts = [f"{old[0]:.2f} / {old[1]:.2f}"]
    for name in list(versions)[1:]:
        new, again = found[name]
        parts += [f"{new:.2f} / {again:.2f}", f"{new - old[0]:+.2f} / {again - old[1]:+.2f}", f"{new / old[0]:.1f}"]
    return f"| {language} | {' | '.join(parts)} |"


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--languages", nargs="+", default=LANGUAGES, choices=LANGUAGES)
    parser.add_argument("--questions", type=int, default=300, help="of each language, at most")
    parser.add_argument("--top-k", type=int, default=3, help="passages that an answer is made of")
    parser.add_argument("--warmed", action="store_true", help="ask other questions before")
    parser.add_argument("--with-models", action="store_true", help="also the embedder of the extra `models`")
    options = parser.parse_args()
    here = {"PYTHONPATH": str(HERE.parent), "PYTHONSAFEPATH": "1"}
    with tempfile.TemporaryDirectory() as folder:
        versions = {"0.1.0": unpack(Path(folder)).environment, "now": here}
        if options.with_models:
            versions["with models"] = here
        heads = [head for name in list(versions)[1:] for head in (f"{name}: new / again", "more", "ratio of new")]
        print(f"| XQuAD | 0.1.0: new / again | {' | '.join(heads)} |")
        print("|---" * (2 + len(heads)) + "|")
        for language in options.languages:
            print(row(language, versions, options), flush=True)


if __name__ == "__main__":
    main()
