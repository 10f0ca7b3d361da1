"""docs/benchmarks.md, from the results that are kept. It says nothing that no result says.

python -m benchmarks.report.page
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.report.catalogue import CATALOGUE, Benchmark, benchmarks
from benchmarks.report.figures import shown
from benchmarks.report.machine import ROOT, Machine
from benchmarks.report.plot import plot
from benchmarks.report.result import Result, results
from benchmarks.report.rows import Row

DOCS = ROOT / "docs"
PLOTS = "images/benchmarks"

HEAD = """\
# Benchmarks

<!-- made by make bench; do not edit -->

Each figure with the command that made it, ours and the peers' in the same run on the same machine. `make bench` runs
them all and writes this page (`make bench ARGS="--quick"` for short runs, `ARGS="guarded_call weight"` for some). Times
on one machine say little about another: compare figures within a table. The spread is the lowest and the highest
measurement; in the plots a dashed line is the bar to reach.
"""


def page(found: Mapping[str, Result]) -> str:
    """The whole page. A benchmark without a result is told as not measured."""
    parts = [HEAD, *_machines(list(found.values())), *_verdicts(found)]
    for section, its in CATALOGUE.items():
        parts.append(f"## {section}\n")
        for benchmark in its:
            parts += _told(benchmark, found.get(benchmark.name))
    return "\n".join(parts)


def plots(found: Mapping[str, Result]) -> dict[str, str]:
    """File name -> SVG."""
    drawn = {
        _file(result.name, number): plot(rows)
        for result in found.values()
        for number, (_, rows) in enumerate(_groups(result.rows))
    }
    return {name: svg for name, svg in drawn.items() if svg}


def write(found: Mapping[str, Result], docs: Path = DOCS) -> None:
    """Writes the page and its plots, and removes plots that it no longer shows."""
    folder = docs / PLOTS
    folder.mkdir(parents=True, exist_ok=True)
    drawn = plots(found)
    for file in folder.glob("*.svg"):
        if file.name not in drawn:
            file.unlink()
    for name, svg in drawn.items():
        (folder / name).write_text(svg, encoding="utf-8")
    (docs / "benchmarks.md").write_text(page(found), encoding="utf-8")


def _machines(found: Sequence[Result]) -> Iterator[str]:
    if not found:
        yield "Nothing has been measured yet.\n"
        return
    yield "## Where they ran\n"
    places = {_place(result.machine): result.machine for result in found}
    for place, machine in places.items():
        versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
        yield f"- {place}. {versions}."
    loads = [result.machine.load for result in found]
    cores = max(result.machine.cores for result in found)
    ready = f"{shown(min(loads))} to {shown(max(loads))}"
    yield f"- When they began, {ready} processes were ready to run, on {cores} cores."
    if max(loads) >= 1:
        yield "  Where that was more than none, times are longer than on an idle machine, and ratios spread more."
    yield ""


def _place(machine: Machine) -> str:
    cores = f"{machine.cores} cores" if machine.cores > 1 else "one core"
    return f"{machine.processor}, {cores}, {machine.memory_gb:g} GB, {machine.system}, Python {machine.python}"


def _verdicts(found: Mapping[str, Result]) -> Iterator[str]:
    judged = [(name, row) for name, result in found.items() for row in result.rows if row.bar]
    missed = [(name, row) for name, row in judged if row.missed]
    reached = sum(row.figure is not None and not row.missed for _, row in judged)
    missing = [one.name for one in benchmarks() if one.name not in found]
    failed = [name for name, result in found.items() if result.status]
    yield "## Summary\n"
    yield f"{reached} bars were reached, {len(missed)} missed, and {len(judged) - reached - len(missed)} not measured."
    yield f"Benchmarks: {len(found)} run, {len(failed)} of them failed; {len(missing)} not run.\n"
    for name, row in missed:
        assert row.bar is not None
        figure = row.note if row.figure is None else f"{shown(row.figure)} {row.unit}"
        yield (
            f"- **Missed:** {_cell(row.group)}, {_cell(row.label)}: {_cell(figure)}, "
            f"bar {row.bar.side} {shown(row.bar.value)} (`{name}`)"
        )
    yield ""


def _told(benchmark: Benchmark, result: Result | None) -> Iterator[str]:
    yield f"### {benchmark.title}\n"
    if result is None:
        wants = f" It needs {benchmark.extra_wants}." if benchmark.extra_wants else ""
        yield f"Not measured: `python -m benchmarks.{benchmark.name}`.{wants}\n"
        return
    yield f"```console\n$ {result.command}\n```\n"
    yield f"{result.began}, {result.took_s:g} s, commit {result.machine.commit}, load {result.machine.load:g}.\n"
    if result.status:
        yield f"**It failed** with status {result.status}. What is shown was measured before that.\n"
        yield _verbatim(result.errors)
    for number, (group, rows) in enumerate(_groups(result.rows)):
        yield from _table(group, rows)
        if plot(rows):
            yield f"![{_cell(group)}]({PLOTS}/{_file(result.name, number)})\n"
    if not result.rows and result.output:
        yield _verbatim(result.output)


def _groups(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Rows that follow each other in one group."""
    return [(group, list(its)) for group, its in itertools.groupby(rows, lambda row: row.group)]


def _table(group: str, rows: Sequence[Row]) -> Iterator[str]:
    yield f"| {_cell(group)} | {_cell(rows[0].unit)} | spread | measurements | bar |"
    yield "|---|---|---|---|---|"
    for row in rows:
        yield f"| {_cell(row.label)} | {_figure(row)} | {_spread(row)} | {row.measurements or ''} | {_bar(row)} |"
    yield ""


def _figure(row: Row) -> str:
    if row.figure is None:
        return _cell(row.note) if row.never else f"not measured: {_cell(row.note)}"
    return f"{shown(row.figure)} ({_cell(row.note)})" if row.note else shown(row.figure)


def _spread(row: Row) -> str:
    if row.low is None or row.high is None or row.measurements < 2:
        return ""
    return f"{shown(row.low)} to {shown(row.high)}"


def _bar(row: Row) -> str:
    if row.bar is None:
        return ""
    verdict = "**missed**" if row.missed else "not measured" if row.figure is None else "reached"
    return f"{row.bar.side} {shown(row.bar.value)}: {verdict}"


def _file(name: str, number: int) -> str:
    return f"{name}-{number + 1}.svg"


def _cell(text: str) -> str:
    return html.escape(text, quote=False).replace("|", "\\|").replace("\n", " ")


def _verbatim(text: str) -> str:
    fence = "```" if "```" not in text else "````"
    return f"{fence}text\n{text}\n{fence}\n"


if __name__ == "__main__":
    write(results(one.name for one in benchmarks()))
