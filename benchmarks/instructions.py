"""Instructions of a guarded call, a search and a whole question, as ratios that no other program's load changes.

    python -m benchmarks.instructions [--write]

Counted by valgrind's callgrind. The ratios are to work of the same interpreter in the same process: a guarded call to a
bare one, the others to a fixed piece of Python. `--write` keeps them, for the version of Python that runs, in
benchmarks/instructions.json, with which `tests/benchmarks/test_instructions.py` compares: do that after a change that
is worth its cost. The question is the one of `questions_per_second`: embedded and answered over HTTP, one process
counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.instructions_worker import CALLS
from benchmarks.one_question import CONFIGURATION
from benchmarks.own_redis import free_port, own_redis
from benchmarks.processes import program, ready
from benchmarks.report.rows import Row, at_most, publish
from benchmarks.valgrind_requests import unsupported

KEPT = Path(__file__).parent / "instructions.json"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SLIP = 1.1
"""How much more than kept is too much."""
SUBJECTS = {"guarded": "bare", "search": "interpreter", "question": "interpreter"}
"""What is counted, and what it is compared with."""
DOCUMENTS, SENTENCES = 40, 6


def cannot_count() -> str:
    """Why nothing can be counted here; empty if it can."""
    if shutil.which("valgrind") is None:
        return "valgrind is not installed (Debian: apt-get install valgrind)"
    return unsupported()


def ratios() -> dict[str, float]:
    """Subject -> its instructions over those of what it is compared with."""
    with own_redis() as redis_url, tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        with program("-m", "ha_rag.simulation", "--port", str(port)):
            asyncio.run(ready(f"http://127.0.0.1:{port}/faults"))
            _prepare(folder, redis_url, port)
            each = {name: statistics.median(totals) / CALLS[name] for name, totals in _counted(folder).items()}
    return {subject: each[subject] / each[beside] for subject, beside in SUBJECTS.items()}


def _prepare(folder: Path, redis_url: str, port: int) -> None:
    """A configuration, and an index of texts that never change."""
    provider, config, documents = f"http://127.0.0.1:{port}", folder / "ha_rag.toml", folder / "documents"
    config.write_text(CONFIGURATION.format(redis_url=redis_url, index=folder / "index", provider=provider))
    documents.mkdir()
    for number in range(DOCUMENTS):
        text = " ".join(
            f"Circuit {number} recovers in {n + number} seconds, as probe {n} shows." for n in range(SENTENCES)
        )
        (documents / f"{number}.md").write_text(f"# How circuit {number} recovers\n\n{text}\n")
    command = [sys.executable, "-m", "ha_rag", "ingest", str(documents), "--config", str(config)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _counted(folder: Path) -> dict[str, list[int]]:
    """Name -> the instructions of each of its counts."""
    command = [
        "valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder / 'counts'}",
        sys.executable, "-m", "benchmarks.instructions_worker", str(folder),
    ]  # fmt: skip
    variables = {**os.environ, "PYTHONHASHSEED": "0", "HA_RAG_LOG": "console"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    found: dict[str, list[int]] = {}
    for file in folder.glob("counts*"):
        text = file.read_text()
        named = re.search(r"^desc: Trigger: Client Request: (\w+)$", text, re.MULTILINE)
        total = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
        if named and total:
            found.setdefault(named[1], []).append(int(total[1]))
    if done.returncode or set(found) != set(CALLS):
        sys.exit(f"callgrind ended with status {done.returncode}, counted {sorted(found)}: {done.stderr[-1000:]}")
    return found


def kept() -> dict[str, float]:
    """The ratios of this version of Python to compare with; empty if none are kept."""
    found: dict[str, dict[str, float]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return found.get(PYTHON, {})


def keep(found: dict[str, float]) -> None:
    """Replaces what is kept for this version of Python."""
    everything = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    everything[PYTHON] = {subject: round(ratio, 3) for subject, ratio in found.items()}
    KEPT.write_text(json.dumps(everything, indent=1, sort_keys=True) + "\n")


def main() -> None:
    """Counts and prints; with `--write`, keeps what was counted."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--write", action="store_true", help=f"keep the ratios in {KEPT.name}")
    given = arguments.parse_args()
    if why := cannot_count():
        sys.exit(why)
    before, found = kept(), ratios()
    if given.write:
        keep(found)
    rows = []
    for subject, ratio in found.items():
        bar = at_most(round(SLIP * before[subject], 3)) if subject in before else None
        rows.append(Row.of("instructions", f"ours, {subject} / {SUBJECTS[subject]}", "ratio", [ratio], bar=bar))
        print(f"{subject:12}{ratio:10.3f} times {SUBJECTS[subject]:14}kept for {PYTHON}: {before.get(subject, 'none')}")
    publish(rows)


if __name__ == "__main__":
    main()
