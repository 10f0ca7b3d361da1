"""The terminal output of a drill: the live view, the tables at the end, and the verdict."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ha_rag.drill.result import StageResult
from ha_rag.drill.run import Progress
from ha_rag.drill.stages import Stage
from ha_rag.harmless import harmless

SIGNS = {"closed": ("●", "green"), "open": ("■", "bold red"), "half_open": ("◐", "yellow")}
NO_STATE = ("–", "dim")
LEGEND = (
    ("open on all", "from the outage until the circuit was open at every replica"),
    ("calls wasted", "calls to the broken service until then"),
    ("probes", "calls to it after that, until it was repaired"),
    ("users waited", "by how much longer than usual their answers took, added up"),
    ("recovered", "from repair (or kill) until every circuit was closed and shared"),
)
"""The columns of the second table, and what they say."""


def live(progress: Progress, stages: Sequence[Stage], replicas: Sequence[str]) -> RenderableType:
    """The drill at this moment: its stages, the questions of the current one, and each replica's circuits."""
    circuits = _circuits(progress, stages, replicas)
    return Group(_stages(progress, stages), Text(), _questions(progress), Text(), circuits)


def _stages(progress: Progress, stages: Sequence[Stage]) -> RenderableType:
    results = {result.name: result for result in progress.results}
    grid = _plain_table(("", "stage", ""), left=3)
    for stage in stages:
        if stage.name in results:
            grid.add_row(_sign(results[stage.name]), _text(stage.title), Text(_summary(results[stage.name]), "dim"))
        elif progress.stage is stage:
            for_s = time.monotonic() - progress.since_s
            grid.add_row(Text("▶", "bold"), _text(stage.title, "bold"), _text(f"{progress.phase}, {for_s:.0f} s"))
        else:
            grid.add_row("", _text(stage.title, "dim"), "")
    return grid


def _summary(result: StageResult) -> str:
    if result.opened_s is None:
        return "" if result.closed_s is None else f"recovered after {_s(result.closed_s)}"
    wasted = "" if result.wasted is None else f", {result.wasted} calls wasted"
    return f"open on all after {_s(result.opened_s)}{wasted}"


def _questions(progress: Progress) -> RenderableType:
    stats = progress.questions
    served = sorted(stats.served_by.items(), key=lambda item: (item[0].partition(".")[0], -item[1]))
    tiers = "  ".join(f"{tier} {100 * count / max(1, stats.answered):.0f} %" for tier, count in served)
    head = f"{stats.asked} asked, {stats.answered} answered, {stats.degraded} degraded, {stats.failed} lost"
    return Group(Text(head, "bold red" if stats.failed else "bold"), _text(tiers, "dim"))


def _circuits(progress: Progress, stages: Sequence[Stage], replicas: Sequence[str]) -> RenderableType:
    """Those that these stages open, so that all fits into 24 lines; all of them if that is none."""
    opened = {name for stage in stages for name in stage.opens}
    names = sorted(opened or {name for health in progress.health.values() for name in health.states})
    grid = _plain_table(("circuit", *map(_text, replicas)))
    for name in names:
        grid.add_row(_text(name), *(_state(_states(progress, replica).get(name)) for replica in replicas))
    return grid


def _states(progress: Progress, replica: str) -> dict[str, str]:
    health = progress.health.get(replica)
    return health.states if health is not None else {}


def _state(state: str | None) -> Text:
    sign, style = SIGNS.get(state or "", NO_STATE)
    return _text(f"{sign} {(state or '').replace('_', '-')}", style)


def tables(results: Sequence[StageResult]) -> RenderableType:
    """What users got, how soon each outage was noticed, and what went wrong."""
    problems = [_text(f"{result.title}: {what}", "bold red") for result in results for what in problems_of(result)]
    return Group(_answers(results), Text(), _detection(results), Text(), _legend(), Text(), *problems)


def problems_of(result: StageResult) -> Iterator[str]:
    """What went wrong in a stage, one sentence each."""
    yield from result.missed
    for why, count in result.failures.items():
        yield f"{count} {'question' if count == 1 else 'questions'} not answered: {why}"


def _answers(results: Sequence[StageResult]) -> Table:
    grid = _plain_table(("", "stage", "asked", "lost", "degraded", "p50", "p99"), left=2)
    for result in results:
        lost = Text(str(result.lost), "bold red" if result.lost else "")
        numbers = (str(result.asked), lost, str(result.degraded), _ms(result.p50_ms), _ms(result.p99_ms))
        grid.add_row(_sign(result), _text(result.title), *numbers)
    return grid


def _detection(results: Sequence[StageResult]) -> Table:
    heads = ("open\non all", "calls\nwasted", "\nprobes", "users\nwaited", "\nrecovered")
    grid = _plain_table(("", "\nstage", *heads), left=2)
    for result in results:
        grid.add_row(_sign(result), _text(result.title), *detection_cells(result))
    return grid


def _legend() -> Table:
    grid = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0), style="dim")
    for row in LEGEND:
        grid.add_row(*row)
    return grid


def detection_cells(result: StageResult) -> tuple[str, ...]:
    """The values of the columns of the legend, in its order."""
    counts = ("" if count is None else str(count) for count in (result.wasted, result.reached))
    waited = "" if result.waited_s is None else f"{result.waited_s:.1f} s"
    return (_s(result.opened_s), *counts, waited, _s(result.closed_s))


def verdict(results: Sequence[StageResult]) -> str:
    """One sentence: how many questions were answered, and which stages failed."""
    asked, lost = sum(r.asked + r.asked_before for r in results), sum(r.lost for r in results)
    failed = [result.title for result in results if not result.passed]
    answered = f"{asked} questions asked, {asked - lost if lost else 'every one'} answered"
    return f"{answered}; failed: {', '.join(failed)}." if failed else f"{answered}."


def _sign(result: StageResult) -> Text:
    return Text("✓", "green") if result.passed else Text("✗", "bold red")


def _text(text: str, style: str = "") -> Text:
    return Text(harmless(text), style)


def _plain_table(columns: Sequence[str | Text], left: int = 1) -> Table:
    """`left`: how many columns are aligned to the left, and not wrapped."""
    grid = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        grid.add_column(column, justify="left" if number < left else "right", no_wrap=number < left)
    return grid


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def _s(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"
