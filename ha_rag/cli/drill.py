"""`ha-rag drill`: scripted outages against a fleet of its own, under a steady stream of questions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ha_rag.drill.film import Film
    from ha_rag.drill.ground import Ground
    from ha_rag.drill.rehearsal import Rehearsal
    from ha_rag.drill.result import StageResult
    from ha_rag.drill.stages import Stage


def drill(
    fast: Annotated[bool, typer.Option("--fast", help="Short outages: all of it within a minute.")] = False,
    stage: Annotated[str | None, typer.Option("--stage", help="Only this one.", show_default="all of them")] = None,
    per_s: Annotated[float, typer.Option("--per-s", min=1, max=500, help="Questions a second.")] = 20.0,
    as_json: Annotated[bool, typer.Option("--json", help="The results as JSON, for programs.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Writes a page that draws it over time.")] = None,
) -> None:
    """Break things on purpose, in a fleet of its own, and see whether every question is answered.

    Exit code 1 where a question was not answered, or a circuit did not open or close as it should.
    """
    import asyncio
    import sys

    from ha_rag.cli.screen import console, print_json
    from ha_rag.cli.trouble import CommandError
    from ha_rag.drill.picture import table, verdict
    from ha_rag.drill.report import report
    from ha_rag.drill.stages import stages_named

    if sys.platform == "win32":
        raise CommandError("a drill freezes and kills processes with signals, which Windows has not; use WSL or Docker")
    try:
        stages = stages_named(stage)
    except ValueError as error:
        raise CommandError(f"--stage: {error}") from None
    if html is not None and not html.absolute().parent.is_dir():
        raise CommandError(f"--html: there is no folder {html.absolute().parent}")
    results, film = asyncio.run(_drilled(stages, fast, per_s, quiet=as_json))
    if html is not None:
        _written(html, report(film, results))
    if as_json:
        print_json({"passed": all(result.passed for result in results), "stages": [r.as_json() for r in results]})
    else:
        screen = console()
        screen.print(table(results))
        screen.print(verdict(results), markup=False)
    if not all(result.passed for result in results):
        raise typer.Exit(1)


async def _drilled(
    stages: tuple[Stage, ...], fast: bool, per_s: float, *, quiet: bool
) -> tuple[list[StageResult], Film]:
    from ha_rag.drill.configuration import FAST, FULL
    from ha_rag.drill.ground import standing_ground
    from ha_rag.drill.rehearsal import Rehearsal
    from ha_rag.settings import read_environment

    environment = {name: value.reveal() for name, value in read_environment().variables.items()}
    if not quiet:
        typer.echo("starting three replicas, a Redis and a provider of their own ...", err=True)
    tempo = FAST if fast else FULL
    async with standing_ground(environment, tempo) as ground:
        rehearsal = Rehearsal(ground, outage_s=tempo.outage_s, per_s=per_s)
        results = await (rehearsal.run(stages) if quiet else _shown(rehearsal, ground, stages))
    return results, rehearsal.film


def _written(html: Path, page: str) -> None:
    from ha_rag.cli.trouble import CommandError

    try:
        html.write_text(page, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--html: {html} cannot be written: {error.strerror}") from error


async def _shown(rehearsal: Rehearsal, ground: Ground, stages: tuple[Stage, ...]) -> list[StageResult]:
    """Runs it, with a live view on a terminal and a line a stage elsewhere."""
    import asyncio

    from rich.console import Console
    from rich.live import Live

    from ha_rag.drill.picture import live

    screen = Console(stderr=True, highlight=False)
    running = asyncio.create_task(rehearsal.run(stages))
    if not screen.is_terminal:
        return await running
    with Live(console=screen, auto_refresh=False, transient=True) as view:
        while not running.done():
            view.update(live(rehearsal.scene, stages, tuple(ground.replicas)), refresh=True)
            await asyncio.wait([running], timeout=0.2)
    return running.result()
