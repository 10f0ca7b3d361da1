"""Which columns the table of circuits has: as many as fit, from the most to the least important one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from ha_rag.dashboards.text.circuit_words import countdown, state_words, why
from ha_rag.dashboards.text.tier_map import tier_shares
from ha_rag.dashboards.text.viewport import Viewport, safe
from ha_rag.monitor.snapshot import CircuitPicture, FleetSnapshot
from ha_rag.monitor.stages import split

GAP = 2
SPARK_POINTS = 24
WHY_WIDTHS = 36, 60
"""A column of reasons is as wide as the longest one, within these bounds. Where it does not fit, reasons are lines."""
LONGEST_NAME = 40
"""Cells; a longer name has a line of its own."""
ORDER = ("state", "share", "failures", "failed", "slow", "calls", "recovers", "why")


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuits:
    """What the table is made of. `selected`: "" without keys. `ago_s`: age of the snapshot."""

    circuits: Sequence[CircuitPicture]
    shares: Mapping[str, float]
    selected: str = ""
    ago_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """`columns`: name -> width in cells, in order; beside them `name` cells for names, after `mark` for the selection.

    `short`: states in few words. `stacked`: not even the essential columns fit beside names.
    """

    mark: int
    name: int
    columns: Mapping[str, int]
    short: bool
    stacked: bool


def circuits_of(picture: FleetSnapshot, *, selected: str = "", ago_s: float = 0.0) -> Circuits:
    """The circuits of a snapshot."""
    found = tier_shares(picture)
    shares = {
        circuit.name: found[stage].get(tier, 0.0)
        for circuit in picture.circuits
        for stage, tier in [split(circuit.name)]
        if stage in found
    }
    return Circuits(circuits=picture.circuits, shares=shares, selected=selected, ago_s=ago_s)


def layout_of(given: Circuits, view: Viewport) -> Layout:
    """The layout for these circuits. Without a column "recovers" or "why", the lines below a circuit say it."""
    mark, name = (GAP if given.selected else 0), _name_width(given, view)
    essential = {"share": len("share"), "failed": len("failed"), "recovers": _recovers_width(given)}
    for short, left_out in ((False, ""), (True, ""), (True, "recovers")):
        columns = {"state": _state_width(given, view, short=short), **essential}
        columns.pop(left_out, None)
        left = view.width - mark - name - sum(GAP + width for width in columns.values())
        if left >= 0:
            break
    for column, width in _extras(given):
        if left >= GAP + width:
            columns[column] = width
            left -= GAP + width
    for column, most in (("failures", SPARK_POINTS), ("why", view.width)):
        if column in columns:
            more = min(left, most - columns[column])
            columns[column] += more
            left -= more
    ordered = {column: columns[column] for column in ORDER if column in columns}
    return Layout(mark=mark, name=name, columns=ordered, short=short, stacked=left < 0)


def _extras(given: Circuits) -> list[tuple[str, int]]:
    """Columns and their least widths, the most important one first."""
    longest = max((cell_len(why(circuit)) for circuit in given.circuits), default=0)
    least, most = WHY_WIDTHS
    reasons = [("why", max(least, min(most, longest)))] if longest else []
    return [("calls", len("calls")), *reasons, ("failures", len("failures")), ("slow", len("slow"))]


def _name_width(given: Circuits, view: Viewport) -> int:
    widths = [cell_len(safe(circuit.name)) for circuit in given.circuits]
    return max([len("circuit"), *(width for width in widths if width <= min(LONGEST_NAME, view.width // 2))])


def _state_width(given: Circuits, view: Viewport, *, short: bool) -> int:
    return max([len("state"), *(cell_len(state_words(circuit, view, short=short)) for circuit in given.circuits)])


def _recovers_width(given: Circuits) -> int:
    return max([len("recovers"), *(len(countdown(circuit, 0.0)) for circuit in given.circuits)])
