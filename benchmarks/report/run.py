"""Runs one benchmark as its command line is, in a process of its own, and keeps what it leaves behind."""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report.catalogue import Benchmark
from benchmarks.report.machine import ROOT, this_machine
from benchmarks.report.result import Result
from benchmarks.report.rows import ROWS_FILE, Row

ENDED_LATE = 124
"""The exit status that is recorded for a benchmark that took too long, as coreutils' `timeout` gives it."""
LAST_LINES = 12


def run(benchmark: Benchmark, arguments: Sequence[str]) -> Result:
    """Runs it to its end, or for `at_most_s`."""
    machine, began = this_machine(), datetime.datetime.now(datetime.UTC)
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.json"
        begin_s = time.monotonic()
        status, output, errors = _ended(benchmark, arguments, rows)
        return Result(
            name=benchmark.name,
            command=" ".join(["python", "-m", f"benchmarks.{benchmark.name}", *arguments]),
            began=f"{began:%Y-%m-%d %H:%M} UTC",
            took_s=round(time.monotonic() - begin_s, 1),
            status=status,
            output=_without_places(output.rstrip()),
            errors=_without_places(_last_lines(errors)) if status else "",
            machine=machine,
            rows=tuple(Row.from_json(row) for row in json.loads(rows.read_text())) if rows.exists() else (),
        )


def _ended(benchmark: Benchmark, arguments: Sequence[str], rows: Path) -> tuple[int, str, str]:
    """Exit status, standard output and standard error. The whole process group ends with it."""
    child = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{benchmark.name}", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True,
        env={**os.environ, ROWS_FILE: str(rows)},
    )  # fmt: skip
    try:
        output, errors = child.communicate(timeout=benchmark.at_most_s)
        return child.returncode, output, errors
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        output, errors = child.communicate()
        return ENDED_LATE, output, f"{errors}\nended after {benchmark.at_most_s:g} s"
    except BaseException:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait()
        raise


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-LAST_LINES:])


def _without_places(text: str) -> str:
    """Leaves out where this checkout and its interpreter are."""
    for place, name in (
        (str(ROOT), "."),
        (sys.prefix, "(venv)"),
        (sys.base_prefix, "(python)"),
        (str(Path.home()), "~"),
    ):
        text = text.replace(place, name)
    return text
