"""Row: one measured figure, ours or a peer's, with its spread and its bar.

A benchmark calls `publish` at its end. That does nothing unless `python -m benchmarks` runs it: the command lines of
the benchmarks, and what they print, stay as they are.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.report.figures import shown

ROWS_FILE = "BENCHMARK_ROWS"
"""Environment variable: the file that rows are written to."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What a figure has to reach."""

    side: Literal["at most", "at least"]
    value: float

    def met(self, figure: float) -> bool:
        return figure <= self.value if self.side == "at most" else figure >= self.value


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure. Rows of one `group` are compared with each other: they share a unit.

    `figure`: the median of `measurements`; None: not measured, and `note` says why. `low`, `high`: the extremes.
    `at`: where the figure is on a curve, as a number of what `axis` says; None: it is on none.
    """

    group: str
    who: str
    unit: str
    figure: float | None
    low: float | None = None
    high: float | None = None
    measurements: int = 0
    bar: Bar | None = None
    note: str = ""
    at: float | None = None
    axis: str = ""

    @property
    def label(self) -> str:
        """Who, and where on a curve."""
        return self.who if self.at is None else f"{self.who}, {shown(self.at)} {self.axis}"

    @property
    def never(self) -> bool:
        """Whether what was waited for did not happen: measured, but no figure. Its note begins with "never"."""
        return self.figure is None and self.note.startswith("never")

    @property
    def missed(self) -> bool:
        """Whether a bar was not reached. What was not measured reached nothing and missed nothing."""
        if self.bar is None or self.figure is None:
            return self.bar is not None and self.never
        return not self.bar.met(self.figure)

    @classmethod
    def of(
        cls, group: str, who: str, unit: str, values: Sequence[float], *, bar: Bar | None = None, note: str = "",
        at: float | None = None, axis: str = "",
    ) -> Row:  # fmt: skip
        """The median of `values`, and their extremes."""
        if not values:
            why = note or "no measurement succeeded"
            return cls(group=group, who=who, unit=unit, figure=None, bar=bar, note=why, at=at, axis=axis)
        middle = statistics.median(values)
        return cls(
            group=group, who=who, unit=unit, figure=middle, low=min(values), high=max(values),
            measurements=len(values), bar=bar, note=note, at=at, axis=axis,
        )  # fmt: skip

    @classmethod
    def absent(cls, group: str, who: str, unit: str, why: str, bar: Bar | None = None) -> Row:
        """A figure that could not be measured."""
        return cls(group=group, who=who, unit=unit, figure=None, bar=bar, note=why)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Row:
        """The inverse of `asdict`."""
        bar = kept.get("bar")
        return cls(**{**kept, "bar": Bar(**bar) if bar else None})


def at_most(value: float) -> Bar:
    return Bar(side="at most", value=value)


def at_least(value: float) -> Bar:
    return Bar(side="at least", value=value)


def publish(rows: Sequence[Row]) -> None:
    """Hands the rows to the run that asked for them, if there is one."""
    file = os.environ.get(ROWS_FILE)
    if file:
        Path(file).write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")
