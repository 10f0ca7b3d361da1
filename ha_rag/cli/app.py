"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from ha_rag.cli.alerter import alerter
from ha_rag.cli.ask import ask
from ha_rag.cli.check import check
from ha_rag.cli.circuits import circuits
from ha_rag.cli.dashboard import dashboard
from ha_rag.cli.drill import drill
from ha_rag.cli.faults import break_, mend
from ha_rag.cli.ingest import ingest
from ha_rag.cli.learn import learn
from ha_rag.cli.serve import serve
from ha_rag.cli.trouble import honest
from ha_rag.cli.up import up
from ha_rag.cli.watch import watch

EXAMPLES = """
[bold]Examples[/bold]

  ha-rag up                                    [dim]a fleet on port 8000[/dim]

  ha-rag ask "How does a circuit recover?"     [dim]who answered, and from what[/dim]

  ha-rag ingest ./handbook notes.pdf           [dim]more documents[/dim]

  ha-rag break embedder.primary --for 30       [dim]see who steps in[/dim]

  ha-rag circuits                              [dim]what the fleet believes[/dim]

  ha-rag learn                                 [dim]a guided walk through failures[/dim]

  ha-rag check --config ha_rag.toml            [dim]what is wrong, and the remedy[/dim]
"""

app = typer.Typer(
    name="ha-rag",
    help="Answers questions over your documents, and keeps answering when the services behind it fail.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
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
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """What holds for every command."""


for command in (up, serve, ingest, ask, watch, circuits, mend, check, drill, learn, dashboard, alerter):
    app.command()(honest(command))
app.command("break")(honest(break_))
