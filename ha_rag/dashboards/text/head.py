"""The first lines: what users get, what is wrong, and who says so."""

from __future__ import annotations

from dataclasses import asdict

from rich.text import Text

from ha_rag.dashboards.text.viewport import Viewport, clock, safe
from ha_rag.dashboards.text.wrapping import shortened, wrapped
from ha_rag.monitor.circuit_words import DOT
from ha_rag.monitor.impact import impact
from ha_rag.monitor.quality_words import quality_lines
from ha_rag.monitor.snapshot import FleetSnapshot, Impact

LEVELS = {"well": "closed", "reduced": "half_open", "failing": "open"}
"""Level of the impact -> the state that has its colour and symbol."""
ROOMY = 20
"""Lines of a viewport that shows the quality to expect."""
SAID = {30: 12, 20: 4, 0: 1}
"""Lines of a viewport -> problems and notes that it shows; the others are counted."""


def head_lines(picture: FleetSnapshot, view: Viewport, down_since: str) -> list[Text]:
    """The headline first. `down_since`: when the connection was lost, "" if it is there."""
    if down_since:
        lost = Text.assemble((f"disconnected since {safe(down_since)}", "bold red"), "; showing the last known state")
        return wrapped(lost, view.width)
    told = impact(picture) if picture.impact is None else picture.impact  # replicas of 0.1.0 send none
    style = view.style(LEVELS[told.level])
    headline = Text(f"{view.symbol(LEVELS[told.level])} {_line(told.headline, view)}", style)
    source = f"  {clock(picture.at)}, from {safe(picture.told_by)}, shared state {safe(picture.shared_state)}"
    if picture.reason:
        source += f" ({safe(picture.reason)})"
    return [
        *wrapped(headline, view.width),
        *_said(told, view, style),
        *shortened(Text(source, "dim"), view.width, 2, ellipsis=view.ellipsis),
        *_quality(picture, view),
    ]


def _quality(picture: FleetSnapshot, view: Viewport) -> list[Text]:
    """What to expect of a question that is asked now, where there is room for it."""
    if picture.quality is None or view.height < ROOMY:
        return []
    said = Text("  " + safe("; ".join(quality_lines(asdict(picture.quality)))), "dim")
    return shortened(said, view.width, 3, ellipsis=view.ellipsis)


def _said(told: Impact, view: Viewport, style: str) -> list[Text]:
    said = [Text(_line(text, view), style) for text in told.problems]
    said += [Text(_line(text, view), "dim") for text in told.notes]
    shown = said[: next(number for height, number in SAID.items() if view.height >= height)]
    lines = [line for text in shown for line in shortened(text, view.width - 2, 3, ellipsis=view.ellipsis)]
    if hidden := len(said) - len(shown):
        lines.append(Text(f"and {hidden} more", "dim"))
    return [Text("  ").append_text(line) for line in lines]


def _line(text: str, view: Viewport) -> str:
    """A line of the impact; its dots are bars where only ASCII is shown."""
    return safe(text.replace(DOT, " | ") if view.plain else text)
