"""`ha-rag watch`: the fleet's circuits, live in the terminal."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ha_rag.cli.options import Url
from ha_rag.cli.replica_client import ReplicaClient, client_of
from ha_rag.cli.trouble import CommandError


def watch(
    url: Url = None,
    every_s: Annotated[float, typer.Option("--every", min=0.1, max=60, help="Seconds between looks.")] = 0.5,
) -> None:
    """Watch the circuits live (Ctrl-C ends it)."""
    import time

    from rich.live import Live

    from ha_rag.cli.screen import console

    client = client_of(url, timeout_s=5.0)
    first = view(client.get("/v1/circuits"))
    with Live(first, console=console(), screen=console().is_terminal, auto_refresh=False) as live:
        while True:
            time.sleep(every_s)
            live.update(_look(client), refresh=True)


def _look(client: ReplicaClient) -> Any:
    from ha_rag.cli.screen import styled

    try:
        return view(client.get("/v1/circuits"))
    except CommandError as error:
        return styled(str(error), "red")


def view(reply: dict[str, Any]) -> Any:
    """One picture of the circuits."""
    from rich.console import Group

    from ha_rag.cli.circuit_table import circuit_table
    from ha_rag.cli.screen import styled

    told = f"shared state: {reply['shared_state']}; told by {reply['replica']}"
    return Group(circuit_table(reply["circuits"]), styled(""), styled(told, "dim"))
