"""One circuit: what is known of it, the course of its failures with a time axis, and its events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from rich.text import Text

from ha_rag.dashboards.text.circuit_words import countdown, state_words, why
from ha_rag.dashboards.text.fleet import event_lines
from ha_rag.dashboards.text.viewport import Viewport, clock, safe, state_of
from ha_rag.dashboards.text.wrapping import wrapped
from ha_rag.monitor.openings import shown_rates
from ha_rag.monitor.snapshot import CircuitPicture, FleetSnapshot, Rate

LEVELS = 4
"""Lines of the chart."""
AXIS = "100% "
MOST_COLUMNS = 120


def one_circuit_lines(
    circuit: CircuitPicture, picture: FleetSnapshot, view: Viewport, room: int, *, ago_s: float = 0.0
) -> list[Text]:
    """All that is known of `circuit`, in at most `room` lines: facts, chart, and its events in what is left."""
    lines = wrapped(Text(safe(circuit.name), "bold"), view.width)
    for name, value in _facts(circuit, view, ago_s):
        text = Text.assemble((f"{name:<12}", "dim"), value)
        lines += wrapped(text, view.width, 12)
    if circuit.history and room - len(lines) >= LEVELS + 5:
        lines += [Text(), *_chart(circuit.history, view)]
    events = [event for event in picture.timeline if event.circuit == circuit.name]
    if room - len(lines) > 2:
        lines += [Text(), *event_lines(events, view, room - len(lines) - 1)]
    return lines[:room]


def _facts(circuit: CircuitPicture, view: Viewport, ago_s: float) -> Iterator[tuple[str, Text]]:
    state = state_of(circuit)
    yield "state", Text(state_words(circuit, view), view.style(state))
    if circuit.changed_at is not None:
        yield "since", Text(clock(circuit.changed_at))
    if circuit.override is not None and circuit.override.ends_in_s is not None:
        yield "until", Text(f"ends by itself in {max(0.0, circuit.override.ends_in_s - ago_s):.0f} s")
    if reason := why(circuit):
        yield "why", Text(reason)
    if circuit.opened_by:
        yield "opened by", Text(safe(circuit.opened_by))
    if wait := countdown(circuit, ago_s):
        yield "recovers", Text(f"in {wait}: then a call is let through as its probe")
    if circuit.open_count > 1:
        yield "opened", Text(f"{circuit.open_count} times in a row, without a long calm between")
    failed, slow, calls = shown_rates(circuit)
    shares = f"{calls}; {failed:.0%} failed, {slow:.0%} slow"
    yield "calls", Text(f"{shares}")
    whose = "one state for the fleet" if circuit.scope == "fleet" else "each replica has its own"
    yield "scope", Text(whose)


def _chart(history: Sequence[Rate], view: Viewport) -> list[Text]:
    """Failures over time: one column per point, or the worst of several where there are more points than columns."""
    columns = max(8, min(MOST_COLUMNS, view.width - len(AXIS)))
    points = _columns(history, columns)
    lines = [Text("failed calls, share of the window", "dim")]
    for level in range(LEVELS, 0, -1):
        label = "100%" if level == LEVELS else "50%" if level * 2 == LEVELS else ""
        line = Text(f"{label:>4} ", "dim")
        for rate in points:
            line.append(_mark(rate, level, view), view.style(rate.state))
        lines.append(line)
    states = Text(f"{'':>4} ", "dim")
    for rate in points:
        states.append(view.symbol(rate.state), view.style(rate.state))
    lines.append(states)
    first, last = clock(history[0].at), clock(history[-1].at)
    gap = len(points) - len(first) - len(last)
    axis = f"{'':>4} {first}{' ' * gap}{last}" if gap > 0 else f"{'':>4} {first} to {last}"
    lines.append(Text(axis, "dim"))
    legend = f"bottom line: {view.symbol('closed')} closed  {view.symbol('open')} open  "
    return [*lines, *wrapped(Text(f"{legend}{view.symbol('half_open')} half-open", "dim"), view.width)]


def _mark(rate: Rate, level: int, view: Viewport) -> str:
    """The part of a bar on one line: full, half, or nothing."""
    filled = rate.failure_rate * LEVELS - (level - 1)
    full, half = ("#", "=") if view.plain else ("█", "▄")
    return full if filled >= 0.75 else half if filled >= 0.25 or (level == 1 and rate.failure_rate > 0) else " "


def _columns(history: Sequence[Rate], columns: int) -> list[Rate]:
    if len(history) <= columns:
        return list(history)
    edges = [round(n * len(history) / columns) for n in range(columns + 1)]
    groups = [history[start:end] for start, end in pairwise(edges)]
    return [max(group, key=lambda rate: (rate.state != "closed", rate.failure_rate)) for group in groups if group]
