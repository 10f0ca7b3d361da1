"""`ha-rag ingest`: indexes documents, with a progress bar. A run that was stopped is continued by the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ha_rag.cli.options import Config

if TYPE_CHECKING:
    from ha_rag.index.report import IngestReport, IngestStep

SHOWN_PROBLEMS = 20


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders: txt, md, html, pdf, BEIR-style jsonl.")],
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Remove from the index what is no longer in these paths.")
    ] = False,
    config: Config = None,
) -> None:
    """Read, split, embed and index documents. Unchanged ones are skipped; a run that was stopped is continued."""
    import asyncio

    from ha_rag.assembly.ingesting import ingest_into
    from ha_rag.cli.screen import console
    from ha_rag.cli.settings_here import settings_here

    settings = settings_here(config)
    with progress_bar() as progress:
        report = asyncio.run(ingest_into(settings, paths, progress, mirror=mirror))
    for sentence in summary(report):
        console().print(sentence, markup=False)
    if report.unreadable:
        raise typer.Exit(1)


@contextmanager
def progress_bar() -> Iterator[Callable[[IngestStep], None]]:
    """A progress bar on a terminal; nothing if the output is piped."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    from ha_rag.cli.screen import styled

    columns = [TextColumn("{task.description:>12}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    err = Console(stderr=True)
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def show(step: IngestStep) -> None:
            task = tasks.get(step.stage)
            if task is None:
                task = tasks[step.stage] = bar.add_task(step.stage, total=step.total)
            bar.update(task, completed=step.done, total=step.total, description=styled(step.stage).plain)

        yield show


def summary(report: IngestReport) -> list[str]:
    """What an ingest did, in sentences."""
    read = report.added + report.changed + report.unchanged
    documents = "document" if read == 1 else "documents"
    lines = [
        f"{read} {documents}: {report.added} new, {report.changed} changed, {report.unchanged} unchanged; "
        f"{report.passages} passages written"
    ]
    if report.removed:
        lines.append(f"{report.removed} taken out, whose files are gone")
    for space in report.spaces:
        if space.missing:
            why = f" ({space.why})" if space.why else ""
            lines.append(
                f"embedder {space.embedder}: {space.missing} passages without a vector{why}; the next ingest fills them"
            )
    lines += [f"{wanted} is called {name}, since another document has that name" for wanted, name in report.renamed]
    lines += [f"not read: {error}" for error in report.unreadable[:SHOWN_PROBLEMS]]
    if len(report.unreadable) > SHOWN_PROBLEMS:
        lines.append(f"and {len(report.unreadable) - SHOWN_PROBLEMS} more were not read")
    return lines
