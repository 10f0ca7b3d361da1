"""The typer application: all commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from ha_rag.cli.alerter import alerter
from ha_rag.cli.ask import ask
from ha_rag.cli.check import check
from ha_rag.cli.circuits import circuits
from ha_rag.cli.dashboard import dashboard
from ha_rag.cli.documents import documents
from ha_rag.cli.drill import drill
from ha_rag.cli.evaluate import evaluate
from ha_rag.cli.examples import FIRST, OF, shown
from ha_rag.cli.experiment import experiment
from ha_rag.cli.faults import break_, mend
from ha_rag.cli.forget import forget
from ha_rag.cli.ingest import ingest
from ha_rag.cli.learn import learn
from ha_rag.cli.serve import serve
from ha_rag.cli.trouble import honest
from ha_rag.cli.up import up
from ha_rag.cli.watch import watch

app = typer.Typer(
    name="ha-rag",
    help="Answers questions over your documents, and keeps answering when the services behind it fail.",
    epilog=shown(FIRST),
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from ha_rag.version import version

        typer.echo(f"ha-rag {version()}")
        raise typer.Exit


@app.callback()
def every_command(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of every command."""


COMMANDS: dict[str, Callable[..., None]] = {
    "up": up,
    "serve": serve,
    "ingest": ingest,
    "documents": documents,
    "forget": forget,
    "ask": ask,
    "watch": watch,
    "circuits": circuits,
    "break": break_,
    "mend": mend,
    "check": check,
    "evaluate": evaluate,
    "experiment": experiment,
    "drill": drill,
    "learn": learn,
    "dashboard": dashboard,
    "alerter": alerter,
}
NEEDS: dict[str, tuple[str, ...]] = {
    "serve": ("server",),
    "ingest": ("server",),
    "documents": ("server",),
    "forget": ("server",),
    "check": ("server",),
    "evaluate": ("evaluate", "server"),
    "drill": ("local", "server"),
    "learn": ("rag",),
    "dashboard": ("server",),
    "alerter": ("server",),
}
"""Command -> the extras that it needs beside `cli`. What a configuration asks for is checked where it is used."""
for name, command in COMMANDS.items():
    app.command(name, epilog=shown(OF[name]))(honest(command, *NEEDS.get(name, ())))
