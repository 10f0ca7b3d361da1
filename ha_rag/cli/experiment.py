"""`ha-rag experiment --degradation`: what people thought of answers, and so what degrading costs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ha_rag.cli.options import Json, Url
from ha_rag.cli.replica_client import client_of
from ha_rag.errors import ConfigurationError


def experiment(
    degradation: Annotated[
        bool, typer.Option("--degradation", help="Satisfaction by degraded stages and by tier.")
    ] = False,
    comments: Annotated[bool, typer.Option("--comments", help="Also what people wrote; for operators.")] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show what people thought of answers: the share they liked, with its 95 % interval."""
    from ha_rag.cli.screen import print_json

    if not degradation:
        raise ConfigurationError("say what to report: ha-rag experiment --degradation")
    client = client_of(url)
    fleet = client.get("/v1/fleet")
    written = client.get("/v1/feedback")["comments"] if comments else []
    # A replica of an earlier version knows neither.
    rows, cost = fleet.get("satisfaction", []), fleet.get("cost_of_degrading")
    if as_json:
        print_json({"satisfaction": rows, "cost_of_degrading": cost, **({"comments": written} if comments else {})})
    else:
        _show(rows, cost, written)


def _show(rows: list[dict[str, Any]], cost: dict[str, float] | None, written: list[dict[str, str]]) -> None:
    from ha_rag.cli.screen import console, styled, table

    out = console()
    if not rows:
        out.print("No answer has been rated yet: POST /v1/feedback, or the page's thumbs.")
        return
    shown = table("answers", "liked", "95 % interval", "ratings")
    for row in sorted(rows, key=lambda row: ("all", "degradation", "tier").index(row["by"])):
        rated = row["up"] + row["down"]
        share = "-" if row["share"] is None else f"{row['share']:.0%}"
        shown.add_row(styled(_named(row)), share, f"{row['low']:.0%} to {row['high']:.0%}", f"{rated:,}")
    out.print(shown)
    if cost is not None:
        points, low, high = (round(100 * cost[name]) for name in ("points", "low", "high"))
        out.print(f"\nDegrading costs {points} points of satisfaction (95 %: {low} to {high}).")
    for comment in written:
        out.print(styled(f"{comment['verdict']:8}{comment['about']}: {comment['comment']}", lines=True))


def _named(row: dict[str, Any]) -> str:
    if row["by"] == "all":
        return "all"
    return f"degraded: {row['of']}" if row["by"] == "degradation" else str(row["of"])
