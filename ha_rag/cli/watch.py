"""`ha-rag watch`: the fleet, live in the terminal; from a replica, or straight from Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ha_rag.cli.options import Config

if TYPE_CHECKING:
    from ha_rag.cli.fleet_poller import FleetPoller

FRAME_S = 0.25
"""Seconds between two frames, so that countdowns run smoothly."""


def watch(
    url: Annotated[
        str | None,
        typer.Option(
            help="A replica or a front, or a Redis (redis://, rediss://, redis+sentinel://, redis+cluster://).",
            show_default="the fleet that runs here",
        ),
    ] = None,
    every_s: Annotated[float, typer.Option("--every", min=0.2, max=60, help="Seconds between two polls.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Show it once and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per poll, for programs.")] = False,
    config: Config = None,
) -> None:
    """Watch the fleet live, and override circuits (? shows the keys). Exit code 1 if the first poll fails."""
    from ha_rag.cli.fleet_poller import fleet_poller

    with fleet_poller(url, config, every_s) as seen:
        if as_json:
            _print_on(seen, once)
        elif once:
            _show_once(seen)
        else:
            _show_live(seen)


def _print_on(seen: FleetPoller, once: bool) -> None:
    while True:
        print(seen.next_json(), flush=True)
        if once:
            return


def _show_once(seen: FleetPoller) -> None:
    from ha_rag.cli.screen import console

    picture = seen.first()
    screen = console()
    screen.print(_frame(seen, screen, picture, tall=True))


def _show_live(seen: FleetPoller) -> None:
    import sys

    from rich.live import Live

    from ha_rag.cli.screen import console

    screen = console()
    picture = seen.first()
    live = Live(_frame(seen, screen, picture), console=screen, screen=screen.is_terminal, auto_refresh=False)
    if screen.is_terminal and sys.stdin.isatty():
        _with_keys(seen, screen, live)
    else:
        _without_keys(seen, screen, live)


def _with_keys(seen: FleetPoller, screen: Any, live: Any) -> None:
    import sys

    from ha_rag.cli.control_room import ControlRoom
    from ha_rag.cli.key_terminal import KeyTerminal

    with KeyTerminal(sys.stdin.fileno(), live).opened() as terminal:
        room = ControlRoom(seen.orders, terminal)
        while room.goes_on(seen.latest, FRAME_S):
            live.update(_frame(seen, screen, seen.latest, steering=room.steering), refresh=True)


def _without_keys(seen: FleetPoller, screen: Any, live: Any) -> None:
    import time

    with live:
        while True:
            time.sleep(FRAME_S)
            live.update(_frame(seen, screen, seen.latest), refresh=True)


def _frame(seen: FleetPoller, screen: Any, picture: Any, *, tall: bool = False, steering: Any = None) -> Any:
    from ha_rag.dashboards.terminal import Viewport, draw

    plain = not (screen.encoding or "").lower().startswith("utf")
    view = Viewport(width=min(screen.width, 200), height=200 if tall else screen.height, plain=plain)
    return draw(picture, view, ago_s=seen.ago_s, down_since=seen.down_since, steering=steering)
