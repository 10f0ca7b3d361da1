"""What a drill shows: live while it runs, and the table at its end."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ha_rag.drill.rehearsal import Scene
from ha_rag.drill.result import StageResult
from ha_rag.drill.stages import Stage

SIGNS = {"closed": ("●", "green"), "open": ("■", "bold red"), "half_open": ("◐", "yellow")}
GONE = ("–", "dim")


def live(scene: Scene, stages: Sequence[Stage], replicas: Sequence[str]) -> RenderableType:
    """The drill as it stands: the stages, what is asked and who answers, and each replica's circuits side by side."""
    return Group(_stages(scene, stages), Text(), _questions(scene), Text(), _circuits(scene, replicas))


def _stages(scene: Scene, stages: Sequence[Stage]) -> RenderableType:
    done = {result.name: result for result in scene.results}
    grid = _plain_table("", "stage", "")
    for stage in stages:
        if stage.name in done:
            passed = done[stage.name].passed
            grid.add_row(Text("✓" if passed else "✗", "green" if passed else "bold red"), stage.title, "")
        elif scene.stage is stage:
            for_s = time.monotonic() - scene.since_s
            grid.add_row(Text("▶", "bold"), Text(stage.title, "bold"), f"{scene.phase}, {for_s:.0f} s")
        else:
            grid.add_row("", Text(stage.title, "dim"), "")
    return grid


def _questions(scene: Scene) -> RenderableType:
    tally = scene.tally
    served = sorted(tally.served_by.items(), key=lambda item: (item[0].partition(".")[0], -item[1]))
    tiers = "  ".join(f"{tier} {100 * count / max(1, tally.answered):.0f} %" for tier, count in served)
    head = f"{tally.asked} asked, {tally.answered} answered, {tally.degraded} degraded, {tally.failed} lost"
    return Group(Text(head, "bold red" if tally.failed else "bold"), Text(tiers, "dim"))


def _circuits(scene: Scene, replicas: Sequence[str]) -> RenderableType:
    names = sorted({name for sight in scene.seen.values() for name in sight.states})
    grid = _plain_table("circuit", *replicas)
    for name in names:
        grid.add_row(name, *(_state(_told(scene, replica).get(name)) for replica in replicas))
    return grid


def _told(scene: Scene, replica: str) -> dict[str, str]:
    sight = scene.seen.get(replica)
    return sight.states if sight is not None else {}


def _state(state: str | None) -> Text:
    sign, style = SIGNS.get(state or "", GONE)
    return Text(f"{sign} {(state or '').replace('_', '-')}", style)


def table(results: Sequence[StageResult]) -> RenderableType:
    """A line for each stage, and what was missed."""
    grid = _plain_table(
        "", "stage", "asked", "answered", "degraded", "p50", "p99", "all opened after", "reached it then", "well after"
    )
    for result in results:
        grid.add_row(
            Text("✓", "green") if result.passed else Text("✗", "bold red"),
            result.title,
            str(result.asked),
            str(result.answered),
            str(result.degraded),
            _ms(result.p50_ms),
            _ms(result.p99_ms),
            _s(result.opened_s),
            "" if result.reached is None else str(result.reached),
            _s(result.closed_s),
        )
    missed = [
        Text(f"{result.title}: {what}", "bold red")
        for result in results
        for what in (*result.missed, *(f"{count} questions: {why}" for why, count in result.failures.items()))
    ]
    return Group(grid, *missed)


def verdict(results: Sequence[StageResult]) -> str:
    """One sentence."""
    asked, answered = sum(r.asked for r in results), sum(r.answered for r in results)
    failed = [result.title for result in results if not result.passed]
    if not failed:
        return f"{asked} questions asked, every one answered."
    return f"{asked} questions asked, {answered} answered; not as it should be: {', '.join(failed)}."


def _plain_table(*columns: str) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        grid.add_column(column, justify="left" if number < 2 else "right", no_wrap=number < 2)
    return grid


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def _s(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"
