"""`ha-rag circuits`: shows circuits and sets overrides."""

from __future__ import annotations

import enum
from typing import Annotated, Any
from urllib.parse import quote

import typer

from ha_rag.cli.options import Json, Url
from ha_rag.cli.replica_client import ReplicaClient, client_of
from ha_rag.errors import ConfigurationError


class Action(enum.StrEnum):
    """Actions: show circuits, or override one."""

    LIST = "list"
    SHOW = "show"
    OPEN = "open"
    CLOSE = "close"
    DISABLE = "disable"
    SHADOW = "shadow"
    AUTO = "auto"


MODES = {Action.OPEN: "open", Action.CLOSE: "closed", Action.DISABLE: "disabled", Action.SHADOW: "shadow"}


def circuits(
    action: Annotated[
        Action,
        typer.Argument(
            help="list, show NAME; open (refuse all calls), close (let all pass), disable (count nothing), "
            "shadow (only tell what it would do), auto (end the override)."
        ),
    ] = Action.LIST,
    name: Annotated[str | None, typer.Argument(help="Such as embedder.primary.", show_default=False)] = None,
    reason: Annotated[str, typer.Option(help="Why, for those who see it on the dashboard.")] = "by hand",
    for_s: Annotated[float | None, typer.Option("--for", min=0.001, help="Seconds until it ends by itself.")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show the fleet's circuits, or override one in every replica."""
    client = client_of(url, timeout_s=10.0)
    if action is Action.LIST:
        _show_all(client, as_json=as_json)
        return
    if name is None:
        raise ConfigurationError(
            f"ha-rag circuits {action}: name the circuit, as in: ha-rag circuits {action} embedder.primary"
        )
    _show_one(_acted(client, action, f"/v1/circuits/{quote(name, safe='')}", reason, for_s), as_json=as_json)


def _acted(client: ReplicaClient, action: Action, path: str, reason: str, for_s: float | None) -> dict[str, Any]:
    if action is Action.SHOW:
        reply = client.get(path)
    elif action is Action.AUTO:
        reply = client.call("DELETE", f"{path}/override")
    else:
        reply = client.call("PUT", f"{path}/override", {"mode": MODES[action], "reason": reason, "for_s": for_s})
    return dict(reply)


def _show_all(client: ReplicaClient, *, as_json: bool) -> None:
    from ha_rag.cli.circuit_table import circuit_table
    from ha_rag.cli.screen import console, print_json, styled

    reply = client.get("/v1/circuits")
    if as_json:
        print_json(reply)
        return
    console().print(circuit_table(reply["circuits"]))
    console().print(styled(f"shared state: {reply['shared_state']}; from {reply['replica']}", "dim"))
    for warning in client.get("/v1/fleet").get("warnings", []):  # older replicas do not send it
        console().print(styled(warning, "yellow"))


def _show_one(report: dict[str, Any], *, as_json: bool) -> None:
    from ha_rag.cli.circuit_table import circuit_facts
    from ha_rag.cli.screen import console, print_json

    if as_json:
        print_json(report)
    else:
        console().print(circuit_facts(report))
