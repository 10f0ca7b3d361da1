"""Results as a run would leave them behind, made up for tests."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report.machine import Machine
from benchmarks.report.result import Result
from benchmarks.report.rows import Row

MACHINE = Machine(
    processor="Made Up 3000", cores=2, memory_gb=8.0, system="Linux x86_64", python="3.11.7", commit="0123abc",
    load=0.0, versions={"redis-server": "7.0.1"},
)  # fmt: skip


def made(name: str, rows: Sequence[Row] = (), **changes: object) -> Result:
    values: dict[str, object] = {
        "name": name, "command": f"python -m benchmarks.{name}", "began": "2026-01-01 00:00 UTC", "took_s": 1.5,
        "status": 0, "output": "what it printed", "errors": "", "machine": MACHINE, "rows": tuple(rows),
    }  # fmt: skip
    return Result(**{**values, **changes})  # type: ignore[arg-type]  # a test's own changes
