"""Result: what one run of one benchmark left behind, as it is kept in benchmarks/results."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.report.machine import Machine
from benchmarks.report.rows import Row

RESULTS = Path(__file__).parents[1] / "results"


@dataclass(frozen=True, kw_only=True)
class Result:
    """`status`: the exit status. `output`: what was printed. `errors`: the end of standard error, if it failed."""

    name: str
    command: str
    began: str
    took_s: float
    status: int
    output: str
    errors: str
    machine: Machine
    rows: tuple[Row, ...]

    def write(self, folder: Path = RESULTS) -> None:
        folder.mkdir(exist_ok=True)
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        (folder / f"{self.name}.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Result:
        """The inverse of `asdict`."""
        rows = tuple(Row.from_json(row) for row in kept["rows"])
        return cls(**{**kept, "machine": Machine(**kept["machine"]), "rows": rows})


def results(names: Iterable[str], folder: Path = RESULTS) -> dict[str, Result]:
    """The results that are there, by name."""
    files = {name: folder / f"{name}.json" for name in names}
    return {
        name: Result.from_json(json.loads(file.read_text(encoding="utf-8")))
        for name, file in files.items()
        if file.exists()
    }
