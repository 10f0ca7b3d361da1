"""`ha-rag experiment`: what the running experiment shows; with `--degradation`, what degrading costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ha_rag.cli.options import Config, Json
from ha_rag.cli.replica_client import client_of
from ha_rag.errors import ConfigurationError

REPLICA_SCHEMES = ("http://", "https://")


def experiment(
    degradation: Annotated[
        bool, typer.Option("--degradation", help="Satisfaction by degraded stages and by tier instead.")
    ] = False,
    comments: Annotated[
        bool, typer.Option("--comments", help="With --degradation: also what people wrote; for operators.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="Another experiment than the latest; from Redis only.", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="End the split: this arm answers everybody. For operators.", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume a split that was ended. For operators.")] = False,
    url: Annotated[
        str | None,
        typer.Option(
            help="A replica or a front, or a Redis (redis://, rediss://, redis+sentinel://, redis+cluster://).",
            show_default="the fleet that runs here",
        ),
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show what people think of each arm, with intervals that hold at every look. Nothing ends by itself."""
    from ha_rag.cli.screen import print_json

    _refuse_what_does_not_go_together(degradation, comments, name, end, resume, url)
    if degradation:
        told = _degradation(url, config, comments=comments)
        if as_json:
            print_json(told)
        else:
            _show_degradation(told["satisfaction"], told["cost_of_degrading"], told.get("comments", []))
        return
    found = _experiment(url, config, name, end, resume=resume)
    if as_json:
        print_json(found)
    else:
        from ha_rag.cli.experiment_table import show

        show(found)


def _refuse_what_does_not_go_together(
    degradation: bool, comments: bool, name: str | None, end: str | None, resume: bool, url: str | None
) -> None:
    if comments and not degradation:
        raise ConfigurationError("--comments: needs --degradation")
    if degradation and (name or end or resume):
        raise ConfigurationError("--degradation: cannot be combined with --name, --end or --resume")
    if end and resume:
        raise ConfigurationError("--end: cannot be combined with --resume")
    if name and not _is_redis(url):
        raise ConfigurationError("--name: needs --url with the address of a Redis; a replica knows its own experiment")


def _is_redis(url: str | None) -> bool:
    return url is not None and not url.startswith(REPLICA_SCHEMES)


def _experiment(url: str | None, config: Path | None, name: str | None, end: str | None, *, resume: bool) -> Any:
    if url is not None and _is_redis(url):
        from ha_rag.cli.feedback_in_redis import experiment_in_redis

        return experiment_in_redis(url, config, name, "" if resume else end)
    client = client_of(url)
    if end:
        return client.call("POST", "/v1/experiment/end", {"arm": end})
    return client.call("POST", "/v1/experiment/resume") if resume else client.get("/v1/experiment")


def _degradation(url: str | None, config: Path | None, *, comments: bool) -> dict[str, Any]:
    if url is not None and _is_redis(url):
        from ha_rag.cli.feedback_in_redis import degradation_in_redis

        return degradation_in_redis(url, config, comments=comments)
    client = client_of(url)
    fleet = client.get("/v1/fleet")
    # A replica of an earlier version knows neither.
    told = {"satisfaction": fleet.get("satisfaction", []), "cost_of_degrading": fleet.get("cost_of_degrading")}
    return told | ({"comments": client.get("/v1/feedback")["comments"]} if comments else {})


def _show_degradation(rows: list[dict[str, Any]], cost: dict[str, float] | None, written: list[dict[str, str]]) -> None:
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
        indented = comment["comment"].replace("\n", "\n        ")  # so that no line of it looks like one of ours
        out.print(styled(f"{comment['verdict']:8}{comment['about']}: {indented}", lines=True))


def _named(row: dict[str, Any]) -> str:
    if row["by"] == "all":
        return "all"
    return f"degraded: {row['of']}" if row["by"] == "degradation" else str(row["of"])
