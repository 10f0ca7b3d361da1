"""`ha-rag drill`: scripted outages of a fleet of its own, under steady traffic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ha_rag.drill.fleet import DrillFleet
    from ha_rag.drill.recording import Recording
    from ha_rag.drill.result import StageResult
    from ha_rag.drill.run import DrillRun
    from ha_rag.drill.stages import Stage


def drill(
    fast: Annotated[bool, typer.Option("--fast", help="Short outages: all of it in a little over a minute.")] = False,
    stage: Annotated[str | None, typer.Option("--stage", help="Only this one.", show_default="all of them")] = None,
    per_s: Annotated[float, typer.Option("--per-s", min=1, max=500, help="Questions per second.")] = 20.0,
    as_json: Annotated[bool, typer.Option("--json", help="The results as JSON, for programs.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Also write a page with charts over time.")] = None,
) -> None:
    """Break things on purpose, in a fleet of its own, and check that every question is answered.

    Exit code 1 if a question was not answered, or a circuit did not open or close as it should.
    """
    import asyncio
    import sys

    from ha_rag.cli.screen import console, print_json, styled
    from ha_rag.cli.trouble import CommandError
    from ha_rag.drill.display import tables, verdict
    from ha_rag.drill.report import report
    from ha_rag.drill.stages import stages_named

    if sys.platform == "win32":
        raise CommandError("a drill suspends and kills processes by signals that Windows lacks; use WSL or Docker")
    try:
        stages = stages_named(stage)
    except ValueError as error:
        raise CommandError(f"--stage: {error}") from None
    if html is not None and not html.absolute().parent.is_dir():
        raise CommandError(f"--html: there is no folder {html.absolute().parent}")
    results, recording = asyncio.run(_run(stages, fast, per_s, quiet=as_json))
    if html is not None:
        _write(html, report(recording, results))
    if as_json:
        print_json({"passed": all(result.passed for result in results), "stages": [r.as_json() for r in results]})
    else:
        screen = console()
        screen.print(tables(results))
        screen.print(styled(verdict(results)))
    if not all(result.passed for result in results):
        raise typer.Exit(1)


async def _run(
    stages: tuple[Stage, ...], fast: bool, per_s: float, *, quiet: bool
) -> tuple[list[StageResult], Recording]:
    from ha_rag.drill.configuration import FAST, FULL
    from ha_rag.drill.fleet import running_fleet
    from ha_rag.drill.run import DrillRun
    from ha_rag.settings import read_environment

    environment = {name: value.reveal() for name, value in read_environment().variables.items()}
    if not quiet:
        typer.echo("starting three replicas, Redis and a simulated provider ...", err=True)
    timing = FAST if fast else FULL
    async with running_fleet(environment, timing) as fleet:
        run = DrillRun(fleet, timing, per_s=per_s)
        results = await (run.run(stages) if quiet else _run_with_live_view(run, fleet, stages))
    return results, run.recording


def _write(html: Path, page: str) -> None:
    from ha_rag.cli.trouble import CommandError
    from ha_rag.disk_space import reason

    try:
        html.write_text(page, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--html: {html} cannot be written: {reason(error)}") from error


async def _run_with_live_view(run: DrillRun, fleet: DrillFleet, stages: tuple[Stage, ...]) -> list[StageResult]:
    """Runs the drill, with a live view if standard error is a terminal."""
    import asyncio

    from rich.console import Console
    from rich.live import Live

    from ha_rag.drill.display import live

    screen = Console(stderr=True, highlight=False)
    running = asyncio.create_task(run.run(stages))
    if not screen.is_terminal:
        return await running
    with Live(console=screen, auto_refresh=False, transient=True) as view:
        while not running.done():
            view.update(live(run.progress, stages, tuple(fleet.replicas)), refresh=True)
            await asyncio.wait([running], timeout=0.2)
    return running.result()
