"""What was found about each contender of `questions_per_second`, and how it is told."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.report.rows import Bar, Row, at_least
from benchmarks.wrk import Load

CONNECTIONS = (1, 16, 64)
OURS, BARE = "ours, /v1/query", "bare app"
LITELLM, PORTKEY = "LiteLLM's proxy", "Portkey's gateway"
BARS: dict[tuple[str, int], Bar] = {
    (BARE, 64): at_least(0.5), (LITELLM, 16): at_least(10), (PORTKEY, 64): at_least(1.5),
}  # fmt: skip
"""Other, connections -> how many questions ours has to answer for each one of the other."""
ALWAYS_BUSY = 0.9
"""Of a core: a provider that is busier than this may have limited the server."""


@dataclass(frozen=True)
class Measured:
    """One run. `busy`, `provider_busy`: cores that were in use. `calls`: that the provider received for a question."""

    load: Load
    busy: float
    provider_busy: float
    resident_mb: float
    calls: Mapping[str, float]

    @property
    def processor_ms(self) -> float:
        """Processor time of the server, for each question."""
        return 1000 * self.busy / self.load.per_s


@dataclass
class Found:
    """Contender -> connections -> its runs, in the order of the rounds; or why there are none."""

    runs: dict[str, dict[int, list[Measured]]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def leave_out(self, name: str, why: str) -> None:
        """Forgets what was measured of a contender that failed."""
        self.runs.pop(name, None)
        self.absent[name] = why


COLUMNS: dict[str, Callable[[Measured], float]] = {
    "1/s": lambda one: one.load.per_s,
    "p50 ms": lambda one: one.load.p50_ms,
    "p99 ms": lambda one: one.load.p99_ms,
    "cpu ms": lambda one: one.processor_ms,
    "cores": lambda one: one.busy,
    "provider": lambda one: one.provider_busy,
    "MB": lambda one: one.resident_mb,
}
UNITS = {"cpu ms": "ms", "provider": "cores"}
HEAD = f"{'':44}" + "".join(f"{name:>10}" for name in COLUMNS) + "  calls"


def line(name: str, connections: int, runs: Sequence[Measured]) -> str:
    """One line of the printed table: medians."""
    figures = "".join(f"{_median(column, runs):10.3g}" for column in COLUMNS.values())
    return f"{connections:4}  {name:38}{figures}  {calls_of(runs)}"


def _median(column: Callable[[Measured], float], runs: Sequence[Measured]) -> float:
    return statistics.median(map(column, runs))


def calls_of(runs: Sequence[Measured]) -> str:
    """Which calls a question made, such as "embeddings 1, chat 1"."""
    return ", ".join(
        f"{target} {statistics.median(one.calls[target] for one in runs):.3g}"
        for target in runs[0].calls
        if any(one.calls[target] >= 0.01 for one in runs)
    )


def rows(found: Found, names: Sequence[str]) -> list[Row]:
    """All figures, by group."""
    most, others = CONNECTIONS[-1], [name for name in names if not name.startswith("ours")]
    return [
        *(row for n in CONNECTIONS for row in _group(found, names, f"questions, {_over(n)}", "1/s", n)),
        *(row for n in CONNECTIONS for row in _ratios(found, others, n)),
        *(row for n in CONNECTIONS for row in _group(found, names, f"processor time, {_over(n)}", "cpu ms", n)),
        *_group(found, names, f"resident memory, {_over(most)}", "MB", most),
        *_group(found, names, f"use of the provider, {_over(most)}", "provider", most),
    ]


def _group(found: Found, names: Sequence[str], group: str, column: str, connections: int) -> list[Row]:
    return [_row(found, name, group, column, connections) for name in names]


def _over(connections: int) -> str:
    return f"{connections} connections" if connections > 1 else "one connection"


def _row(found: Found, name: str, group: str, column: str, connections: int) -> Row:
    unit = UNITS.get(column, column)
    if name in found.absent:
        return Row.absent(group, name, unit, found.absent[name])
    runs = found.runs[name][connections]
    return Row.of(group, name, unit, [COLUMNS[column](one) for one in runs], note=_note(column, runs))


def _note(column: str, runs: Sequence[Measured]) -> str:
    if column == "1/s":
        p50, p99 = (_median(COLUMNS[each], runs) for each in ("p50 ms", "p99 ms"))
        return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms; {calls_of(runs)}"
    if column == "provider" and _median(COLUMNS[column], runs) >= ALWAYS_BUSY:
        return "it may have limited the server"
    return ""


def _ratios(found: Found, others: Sequence[str], connections: int) -> list[Row]:
    group, its = f"ours, /v1/query, for each of the other, {_over(connections)}", []
    for name in others:
        who, bar = f"over {name}", BARS.get((name, connections))
        if name in found.absent:
            its.append(Row.absent(group, who, "ratio", found.absent[name], bar))
            continue
        pairs = zip(found.runs[OURS][connections], found.runs[name][connections], strict=True)
        its.append(Row.of(group, who, "ratio", [our.load.per_s / their.load.per_s for our, their in pairs], bar=bar))
    return its
