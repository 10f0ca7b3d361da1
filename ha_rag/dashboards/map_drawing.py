"""The map of a fleet as an SVG without a script, for reports and documents: the drawing that the page has.

`web/map_drawing.js` draws the same in the browser; tests/browser/test_same_map.py compares both. Texts are untrusted:
they are made harmless and escaped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from html import escape
from typing import Any

from ha_rag.harmless import harmless
from ha_rag.monitor.snapshot import CircuitPicture, StagePicture, TierPicture

SIDE_BY_SIDE = 640
NODE, SPACE, GAP, TITLE, EDGE = 62, 14, 44, 22, 2
IN_A_ROW = 2
THINNEST = 1.5
THICKEST_SIDE_BY_SIDE, THICKEST_BELOW = 14, 10
SYMBOLS = {"closed": "●", "open": "■", "half_open": "◐", "waiting": "○", "resort": "▪"}
LABELS = {
    "closed": "closed", "open": "open", "half_open": "half-open", "waiting": "waiting for traffic",
    "resort": "last resort",
}  # fmt: skip

STYLE = """
.map { --good: #17693f; --bad: #b3201a; --warn: #815200; --calm: #5a6764; --card: #f4f6f5; --text: #1b2320; }
@media (prefers-color-scheme: dark) { .map { --good: #62cf9c; --bad: #ff8d82; --warn: #f3bd54; --calm: #93a19c;
  --card: #1a201e; --text: #e7ecea; } }
.map text { font: 11.5px system-ui, sans-serif; fill: var(--text); }
.map .stage { font-size: 12px; fill: var(--calm); } .map .name { font-size: 13px; font-weight: 600; }
.map .latency { font-size: 11px; fill: var(--calm); }
.map .node rect { fill: var(--card); stroke: var(--calm); stroke-width: 1.5; shape-rendering: auto; }
.map .closed rect { stroke: var(--good); }
.map .open rect { stroke: var(--bad); stroke-width: 2.5; stroke-dasharray: 6 3; }
.map :is(.half_open, .waiting, .resort) rect { stroke: var(--warn); stroke-width: 2.5; }
.map .open :is(.name, .share) { fill: var(--bad); }
.map :is(.half_open, .waiting, .resort) :is(.name, .share) { fill: var(--warn); }
.map .line { fill: none; stroke-opacity: .75; stroke-linecap: round; }
.map .line.first { stroke: var(--good); } .map .line:is(.fallback, .resort) { stroke: var(--warn); }
.map .line.unused { stroke: var(--calm); stroke-opacity: .4; stroke-dasharray: 3 3; }
"""
"""How a map looks that stands in an element of the class `map`; light and dark, as on the page."""

Shape = tuple[str, dict[str, Any], Any]
"""Name, attributes, and the text or the shapes in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A map of `width` pixels. `summary`: what it shows, in words."""

    width: int
    height: float
    summary: str
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """A tier and its place. `enter`, `leave`: the paths of its lines."""

    tier: TierPicture
    is_first: bool
    x: float
    y: float
    wide: float
    enter: str
    leave: str


_Placed = tuple[float, list[tuple[str, float, float]], list[_Node]]
"""Height, the stages' titles with their places, and the nodes."""


def map_drawing(stages: Sequence[StagePicture], circuits: Sequence[CircuitPicture], width: int) -> Drawing:
    """The map. Raises ValueError without stages."""
    if not stages:
        raise ValueError("a map needs a stage")
    known = {circuit.name: _state(circuit) for circuit in circuits}
    is_wide = width >= SIDE_BY_SIDE
    height, titles, nodes = (_side_by_side if is_wide else _below)(stages, width)
    thickest = THICKEST_SIDE_BY_SIDE if is_wide else THICKEST_BELOW
    lines = [
        _line(node, path, thickest)
        for node in sorted(nodes, key=lambda node: node.tier.share)
        for path in (node.enter, node.leave)
    ]
    names: list[Shape] = [("text", {"class": "stage", "x": _px(x), "y": _px(y)}, name) for name, x, y in titles]
    shapes = (*lines, *names, *(_box(node, known) for node in nodes))
    return Drawing(width=width, height=_px(height), summary=_summary(stages, known), shapes=shapes)


def svg(drawing: Drawing, head: str = "") -> str:
    """The drawing as an element. `head`: trusted SVG before the shapes, such as a style."""
    size = f'width="{drawing.width}" height="{drawing.height}" viewBox="0 0 {drawing.width} {drawing.height}"'
    label = escape(harmless(drawing.summary))
    return (
        f'<svg class="map" {size} role="img" aria-label="{label}">{head}{"".join(map(_element, drawing.shapes))}</svg>'
    )


# ---- places ---------------------------------------------------------------------------------------------------------


def _side_by_side(stages: Sequence[StagePicture], width: int) -> _Placed:
    """A curve leads from the point between two stages to each tier, and on to the next point."""
    wide = (width - GAP * (len(stages) + 1)) / len(stages)
    most = max(len(stage.tiers) for stage in stages)
    middle = TITLE + (most * (NODE + SPACE) - SPACE) / 2
    titles, nodes = list[tuple[str, float, float]](), list[_Node]()
    for at, stage in enumerate(stages):
        x = GAP + at * (wide + GAP)
        top = middle - (len(stage.tiers) * (NODE + SPACE) - SPACE) / 2
        titles.append((stage.name, x, max(14, top - 8)))
        for n, tier in enumerate(stage.tiers):
            y = top + n * (NODE + SPACE)
            enter = _across(x - GAP / 2, middle, x, y + NODE / 2)
            leave = _across(x + wide, y + NODE / 2, x + wide + GAP / 2, middle)
            nodes.append(_Node(tier=tier, is_first=n == 0, x=x, y=y, wide=wide, enter=enter, leave=leave))
    return TITLE + most * (NODE + SPACE), titles, nodes


def _below(stages: Sequence[StagePicture], width: int) -> _Placed:
    """Stages below each other, their tiers side by side."""
    start, centre = 0.0, width / 2
    titles, nodes = list[tuple[str, float, float]](), list[_Node]()
    for stage in stages:
        in_a_row = min(IN_A_ROW, len(stage.tiers))
        wide = (width - 2 * EDGE - SPACE * (in_a_row - 1)) / in_a_row
        top = start + TITLE
        bottom = top + math.ceil(len(stage.tiers) / in_a_row) * (NODE + SPACE) - SPACE
        titles.append((stage.name, EDGE, start + 14))
        for n, tier in enumerate(stage.tiers):
            x, y = EDGE + (n % in_a_row) * (wide + SPACE), top + (n // in_a_row) * (NODE + SPACE)
            enter = _enter(centre, top - TITLE, top, x + wide / 2, y)
            leave = _leave(centre, x + wide / 2, y + NODE, bottom)
            nodes.append(_Node(tier=tier, is_first=n == 0, x=x, y=y, wide=wide, enter=enter, leave=leave))
        start = bottom + GAP / 2
    return start, titles, nodes


# ---- paths ----------------------------------------------------------------------------------------------------------


def _px(value: float) -> float:
    """Tenths of a pixel, without a decimal where there is none, so that both programs write the same number."""
    tenths = math.floor(10 * value + 0.5)
    return tenths // 10 if tenths % 10 == 0 else tenths / 10


def _points(*values: float) -> str:
    return " ".join(str(_px(value)) for value in values)


def _across(x1: float, y1: float, x2: float, y2: float) -> str:
    return f"M{_points(x1, y1)} C{_points((x1 + x2) / 2, y1, (x1 + x2) / 2, y2, x2, y2)}"


def _down(x1: float, y1: float, x2: float, y2: float) -> str:
    return f"M{_points(x1, y1)} C{_points(x1, (y1 + y2) / 2, x2, (y1 + y2) / 2, x2, y2)}"


def _enter(centre: float, start: float, top: float, x: float, y: float) -> str:
    """Tiers in further rows are reached between the two columns."""
    if y == top:
        return _down(centre, start, x, y)
    return f"M{_points(centre, start)} V{_px(y - SPACE)} {_down(centre, y - SPACE, x, y)}"


def _leave(centre: float, x: float, y: float, bottom: float) -> str:
    """Tiers above the last row are left between the two columns."""
    if y == bottom:
        return _down(x, y, centre, y + GAP / 2)
    return f"{_down(x, y, centre, y + SPACE)} V{_px(bottom + GAP / 2)}"


# ---- shapes ---------------------------------------------------------------------------------------------------------


def _line(node: _Node, path: str, thickest: float) -> Shape:
    share = node.tier.share
    served = "first" if node.is_first else "fallback" if node.tier.circuit else "resort"
    thickness = _px(THINNEST + (thickest - THINNEST) * share) if share > 0 else 1
    kind = served if share > 0 else "unused"
    return ("path", {"class": f"line {kind}", "d": path, "stroke-width": thickness}, "")


def _box(node: _Node, known: Mapping[str, str]) -> Shape:
    tier, room = node.tier, node.wide - 16
    state = known.get(tier.circuit, "resort")
    is_called = state != "resort"  # a last resort is our own words: no calls, so no latency either
    latency = "no calls" if tier.p50_ms is None else f"{_ms(tier.p50_ms)} / {_ms(tier.p99_ms)}"
    share = _percent(tier.share)
    words = "" if state == "closed" or not is_called else f" · {LABELS[state].removesuffix(' for traffic')}"
    told = f"{tier.name}: {LABELS[state]}, {share} of the answers" + (f", p50 / p99 {latency}" if is_called else "")

    def text(kind: str, below: float, content: str) -> Shape:
        return ("text", {"class": kind, "x": _px(node.x + 8), "y": _px(node.y + below)}, content)

    rect = {"x": _px(node.x), "y": _px(node.y), "width": _px(node.wide), "height": NODE, "rx": 7}
    parts: list[Shape] = [
        ("title", {}, told),
        ("rect", rect, ""),
        text("name", 18, _cut(f"{SYMBOLS[state]} {tier.name}", room, 7.6)),
        text("share", 35, _cut(f"{share}{words}", room, 6.8)),
        text("latency", 52, _cut(latency if is_called else LABELS[state], room, 6.2)),
    ]
    return ("g", {"class": f"node {state}"}, parts)


def _element(shape: Shape) -> str:
    name, attributes, content = shape
    written = "".join(f' {key}="{escape(harmless(value))}"' for key, value in attributes.items())
    inside = escape(harmless(content)) if isinstance(content, str) else "".join(map(_element, content))
    return f"<{name}{written}>{inside}</{name}>"


# ---- words ----------------------------------------------------------------------------------------------------------


def _state(circuit: CircuitPicture) -> str:
    return "waiting" if circuit.state == "half_open" and circuit.waiting else circuit.state


def _summary(stages: Sequence[StagePicture], known: Mapping[str, str]) -> str:
    def told(tier: TierPicture) -> str:
        return f"{tier.name} {LABELS[known.get(tier.circuit, 'resort')]}, {_percent(tier.share)}"

    words = (f"{stage.name}: {', '.join(map(told, stage.tiers))}" for stage in stages)
    return f"the way of the last minute's answers: {'; '.join(words)}"


def _cut(text: str, room: float, letter: float) -> str:
    most = max(3, math.floor(room / letter))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _percent(share: float) -> str:
    return "<1 %" if 0 < share < 0.005 else f"{math.floor(100 * share + 0.5)} %"


def _ms(value: float | None) -> str:
    """As the page has it (web/format.js)."""
    if value is None:
        return "–"
    if value < 9.95:
        return f"{_fixed(value, '0.1')} ms"
    return f"{math.floor(value + 0.5)} ms" if value < 999.5 else f"{_fixed(value / 1000, '0.01')} s"


def _fixed(value: float, places: str) -> Decimal:
    """Rounded as JavaScript's toFixed does: halves go up."""
    return Decimal(value).quantize(Decimal(places), ROUND_HALF_UP)
