"""`ha-rag ingest`: indexes documents, with a progress bar. A run that was stopped is continued by the next one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ha_rag.cli.options import Config, Json
from ha_rag.errors import ConfigurationError

if TYPE_CHECKING:
    from ha_rag.index.report import IngestStep, Kept, Reembedding

READ = (
    "Files or folders: txt, md, html, pdf, docx, pptx, xlsx, ods, odt, rtf, epub, csv, tsv, json, jsonl, ipynb, rst, "
    "adoc, org, xml, eml, and any other text."
)


def ingest(
    paths: Annotated[list[Path] | None, typer.Argument(help=READ, show_default=False)] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Remove from the index what these paths no longer hold.")
    ] = False,
    even_if_empty: Annotated[
        bool, typer.Option("--even-if-empty", help="With --mirror: also where a path has nothing left. Else it asks.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Name each file that was left out: hidden, ignored or a cache.")
    ] = False,
    samples: Annotated[bool, typer.Option("--samples", hidden=True)] = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Read, split, embed and index documents. Unchanged ones are skipped; a run that was stopped is continued.

    What a file no longer holds is taken out; a file that has vanished stays, unless --mirror is given. What .gitignore
    and .haragignore name is left out. Exits with 1 if something could not be read or may be out of date.
    """
    import asyncio
    import json

    from ha_rag.assembly.ingesting import ingest_into, take_out_of
    from ha_rag.cli.ingest_summary import as_dict, summary
    from ha_rag.cli.screen import console, styled
    from ha_rag.cli.settings_here import settings_here
    from ha_rag.local_fleet.samples import sample_documents
    from ha_rag.private_folder import keep_files_private

    if not paths and not samples:
        raise ConfigurationError("name the files or folders to ingest, as in: ha-rag ingest ./handbook notes.pdf")
    if even_if_empty and not mirror:
        raise ConfigurationError("--even-if-empty: only says something together with --mirror")
    settings = settings_here(config)
    keep_files_private(settings.index_folder)
    with progress_bar() as progress:
        given = sample_documents() if samples else ()
        report = asyncio.run(
            ingest_into(
                settings,
                paths or [],
                progress,
                mirror=mirror,
                even_if_empty=even_if_empty,
                samples=given,
                announce=_say,
            )
        )
    if not as_json and is_a_person():
        confirmed = [kept for kept in report.kept if kept.empty and _are_gone(kept)]
        report = take_out_of(settings, report, confirmed) if confirmed else report
    if as_json:
        typer.echo(json.dumps(as_dict(report)))
    else:
        for sentence in summary(report, verbose=verbose):
            console().print(styled(sentence))
    if report.failed:
        raise typer.Exit(1)


def _say(reembedding: Reembedding) -> None:
    """On the error stream, at once: the cost is about to arise, and the output may be read by a program."""
    typer.echo(f"note: {reembedding}", err=True)


def is_a_person() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _are_gone(kept: Kept) -> bool:
    """Asks whether documents are gone or their disk is only not mounted."""
    from ha_rag.cli.ingest_summary import documents_of
    from ha_rag.harmless import harmless

    question = f"{harmless(kept.place)} {kept.why}. Take out the {documents_of(kept)} from there?"
    return typer.confirm(question, default=False, err=True)


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
