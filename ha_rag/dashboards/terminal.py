"""The terminal view: a pure function from a FleetSnapshot and a viewport to a rich renderable.

States have a symbol and a word besides their colour. Names, reasons and errors are untrusted: they are shown
through `harmless`, and without markup. Lines end between words. In a small viewport the least urgent parts are left
out; the map of the tiers, and why a circuit is not closed, never are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.text import Text

from ha_rag.dashboards.steering import Page, Steering
from ha_rag.dashboards.text.circuit_layout import circuits_of
from ha_rag.dashboards.text.circuits import circuit_lines
from ha_rag.dashboards.text.fleet import event_lines, redis_lines, replica_lines, traffic_lines
from ha_rag.dashboards.text.foot import foot_lines
from ha_rag.dashboards.text.head import head_lines
from ha_rag.dashboards.text.help import help_lines
from ha_rag.dashboards.text.one_circuit import one_circuit_lines
from ha_rag.dashboards.text.tier_map import tier_map
from ha_rag.dashboards.text.viewport import Viewport, safe
from ha_rag.dashboards.text.wrapping import shortened
from ha_rag.monitor.snapshot import FleetSnapshot

__all__ = ["Viewport", "draw", "drawn_lines"]

WARNINGS = {60: 20, 30: 3, 20: 1, 0: 0}
"""Lines of a viewport -> warnings that it shows; the others are counted."""


def draw(
    picture: FleetSnapshot,
    view: Viewport,
    *,
    ago_s: float = 0.0,
    down_since: str = "",
    steering: Steering | None = None,
) -> RenderableType:
    """Draws `picture`. `ago_s`: its age, subtracted from countdowns. `down_since`: when the connection was lost.

    `steering`: what the keys have chosen; None: there are no keys.
    """
    return Group(*drawn_lines(picture, view, ago_s=ago_s, down_since=down_since, steering=steering))


def drawn_lines(
    picture: FleetSnapshot,
    view: Viewport,
    *,
    ago_s: float = 0.0,
    down_since: str = "",
    steering: Steering | None = None,
) -> list[Text]:
    """The lines of `draw`, none of them wider than the viewport."""
    view = replace(view, faded=bool(down_since))
    steering = steering.within(picture) if steering else None
    foot = foot_lines(steering, picture, view) if steering else []
    head = head_lines(picture, view, down_since)
    room = max(1, view.height - len(head) - len(foot))
    if steering and steering.page is Page.HELP:
        body = help_lines(view, room)
    elif steering and steering.page is Page.CIRCUIT and (chosen := steering.chosen(picture)):
        body = one_circuit_lines(chosen, picture, view, room, ago_s=ago_s)
    else:
        body = _fleet(picture, view, room, ago_s, steering.selected if steering else "")
    body = body[:room]
    if foot:
        body += [Text()] * (room - len(body))
    return [*head, *body, *foot]


def _fleet(picture: FleetSnapshot, view: Viewport, room: int, ago_s: float, selected: str) -> list[Text]:
    """Everything but the header, in at most `room` lines where that is possible."""
    above = tier_map(picture, view)
    below = [Text(), *traffic_lines(picture.traffic, view), *redis_lines(picture.redis, view)]
    below += _warnings(picture.warnings, view)
    left = room - len(above) - len(below)
    others = 8 if left >= 20 else 4 if left >= 10 else 0
    circuits = circuit_lines(circuits_of(picture, selected=selected, ago_s=ago_s), view, left - others)
    left -= len(circuits)
    if picture.replicas and left >= 4:
        replicas = replica_lines(picture.replicas, view, left - (4 if left >= 9 else 1))
        below += [Text(), *replicas] if replicas else []
        left -= len(replicas) + 1 if replicas else 0
    if left > 2:
        below += [Text(), *event_lines(picture.timeline, view, left - 1)]
    return [*above, *circuits, *below]


def _warnings(warnings: Iterable[str], view: Viewport) -> list[Text]:
    found = [Text(f"! {safe(warning)}", "yellow") for warning in warnings]
    shown = found[: next(number for height, number in WARNINGS.items() if view.height >= height)]
    each = 2 if view.height >= 30 else 1
    lines = [line for warning in shown for line in shortened(warning, view.width, each, ellipsis=view.ellipsis)]
    if hidden := len(found) - len(shown):
        words = f"! {'and ' if shown else ''}{hidden} {'more ' if shown else ''}warning{'s' if hidden > 1 else ''}"
        lines.append(Text(words, "yellow"))
    return lines
