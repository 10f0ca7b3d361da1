"""How fast documents are ingested with the local embedder: passages per second, memory, and where the time goes.

    python -m benchmarks.ingest_speed [--passages 20000 100000] [--forms lines files] [--rounds 1]

Made passages (`made_text.py`), as JSON lines with a passage of 108 words in each, or as text files of twenty such
paragraphs, which are split into passages of 400 tokens. Each ingest runs in a process of its own, into a new index.
Memory is the most that this process used.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.made_text import MadeText
from benchmarks.report.rows import Row, at_least, at_most, publish

PASSAGES_PER_S = 2_000
MOST_MEMORY_MB = 1_000
LINES_A_FILE = 1_000
PARAGRAPHS_A_FILE = 20
PASSAGES_A_FILE = 10
"""Of a text file: two paragraphs are somewhat less than 400 tokens."""


def lines(folder: Path, passages: int) -> None:
    """Files of JSON lines with so many passages together."""
    texts = MadeText()
    for first in range(0, passages, LINES_A_FILE):
        numbers = range(first, min(first + LINES_A_FILE, passages))
        content = (json.dumps({"id": f"{number}", "text": texts.passage(number)}) for number in numbers)
        (folder / f"{first}.jsonl").write_text("\n".join(content))


def files(folder: Path, passages: int) -> None:
    """Text files with about so many passages together."""
    texts = MadeText()
    for file in range(passages // PASSAGES_A_FILE):
        numbers = range(file * PARAGRAPHS_A_FILE, (file + 1) * PARAGRAPHS_A_FILE)
        (folder / f"{file}.txt").write_text("\n\n".join(map(texts.passage, numbers)))


FORMS: dict[str, Callable[[Path, int], None]] = {"lines": lines, "files": files}


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """One ingest. `steps`: seconds of each."""

    seconds: float
    passages: int
    most_mb: float
    steps: dict[str, float]


def ingested(documents: Path) -> Ingested:
    """Ingests `documents` in another process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.ingest_steps", str(documents), str(Path(folder) / "index")]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return Ingested(**json.loads(done.stdout))


def rows(form: str, passages: int, found: Sequence[Ingested]) -> Iterator[Row]:
    """The figures of one size."""
    who = f"ours, {passages:,} passages as {form}"
    rates = [one.passages / one.seconds for one in found]
    yield Row.of("passages ingested", who, "1/s", rates, bar=at_least(PASSAGES_PER_S))
    yield Row.of("memory of an ingest", who, "MB", [one.most_mb for one in found], bar=at_most(MOST_MEMORY_MB))
    for step in found[0].steps:
        yield Row.of(f"time by step, {who}", step, "s", [one.steps[step] for one in found])


def shown(form: str, passages: int, found: Sequence[Ingested]) -> str:
    """A line for each ingest."""
    return "\n".join(
        f"{form:8}{passages:10,}{one.passages / one.seconds:8.0f}/s{one.most_mb:7.0f} MB  "
        + ", ".join(f"{step} {seconds:.1f} s" for step, seconds in one.steps.items())
        for one in found
    )


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--passages", type=int, nargs="+", default=[20_000, 100_000])
    arguments.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    arguments.add_argument("--rounds", type=int, default=1)
    given = arguments.parse_args()
    its: list[Row] = []
    for form in given.forms:
        for passages in given.passages:
            with tempfile.TemporaryDirectory() as folder:
                FORMS[form](Path(folder), passages)
                found = [ingested(Path(folder)) for _ in range(given.rounds)]
            print(shown(form, passages, found), flush=True)
            its += rows(form, passages, found)
            publish(sorted(its, key=lambda row: row.group))


if __name__ == "__main__":
    main()
