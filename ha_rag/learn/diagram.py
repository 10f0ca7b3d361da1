"""The diagrams of docs/, drawn from the code: the states of a circuit, one outage, and the tiers of each stage.

python -m ha_rag.learn.diagram docs/images
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from pathlib import Path

from ha_rag.circuit.state import CircuitState
from ha_rag.circuit.transitions import automatic_changes
from ha_rag.learn import outage
from ha_rag.learn.lab import CIRCUITS, Switch, strategy
from ha_rag.strategy.last_resort import NAMES
from ha_rag.strategy.strategy import FallbackStrategy

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
STYLE = """
  <style>
    text { font: 14px system-ui, sans-serif; fill: #1f2328; text-anchor: middle; }
    .name { font-weight: 600; } .small { font-size: 12.5px; fill: #57606a; }
    rect { fill: #f6f8fa; stroke: #8c959f; } .page { fill: #ffffff; stroke: none; }
    .closed { fill: #dafbe1; stroke: #1a7f37; } .open { fill: #ffebe9; stroke: #cf222e; }
    .half_open { fill: #fff8c5; stroke: #9a6700; } .last { stroke-dasharray: 4 3; }
    path { fill: none; stroke: #57606a; marker-end: url(#tip); }
  </style>
  <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
    <path d="M0 0 L8 4 L0 8 z" style="fill: #57606a; stroke: none; marker-end: none"/></marker></defs>
  <rect class="page" width="100%" height="100%"/>"""
BOX = (150, 46)
STATES = {CLOSED: (40, 60), OPEN: (570, 60), HALF_OPEN: (305, 226)}
"""The upper left corner of each state."""
ARROWS = {
    (CLOSED, OPEN): ("M190 83 H568", (379, 74)),
    (OPEN, HALF_OPEN): ("M668 106 C668 210 600 249 457 249", (700, 212)),
    (HALF_OPEN, OPEN): ("M420 226 C440 170 500 110 568 98", (376, 160)),
    (HALF_OPEN, CLOSED): ("M305 249 C170 249 115 210 115 108", (90, 232)),
}
"""(from, to) -> the line, and the position of its last label."""


def states() -> str:
    """The states of a circuit and their transitions, as SVG. Raises KeyError for a transition without an arrow here."""
    parts = [_box(*STATES[state], state.replace("_", "-"), str(state)) for state in STATES]
    ordered = sorted(automatic_changes(), key=lambda arrow: (arrow[0], arrow[2]))
    for ends, triggers in groupby(ordered, key=lambda arrow: (arrow[0], arrow[2])):
        line, (x, y) = ARROWS[ends]
        parts += [f'<path d="{line}"/>', *_lines(x, y, [str(trigger) for _, trigger, _ in triggers])]
    return _svg(780, 300, "The three states of a circuit, and what makes it change", parts)


def tiers(of: FallbackStrategy) -> str:
    """The fallback chains of a strategy, each with its last resort, as SVG."""
    parts: list[str] = []
    width = 0
    chains = {kind: chain for kind, chain in of.fallback_chains.items() if chain}
    for row, (kind, chain) in enumerate(chains.items()):
        y = 40 + row * 84
        parts.append(f'<text x="60" y="{y + 28}" class="name">{escape(kind)}</text>')
        names = [tier.name for tier in chain]
        for column, name in enumerate([*names, NAMES[kind]]):
            x = 130 + column * 196
            last = column == len(names)
            parts.append(_box(x, y, name, "last" if last else "tier"))
            if not last:
                parts += [f'<path d="M{x + BOX[0]} {y + 23} H{x + 194}"/>', *_lines(x + 172, y + 16, ["else"])]
            width = max(width, x + BOX[0] + 24)
    return _svg(width, 40 + len(chains) * 84, "The tiers of each stage, and the last resort behind them", parts)


def drawings() -> Iterator[tuple[str, str]]:
    """File name and content of each diagram."""
    yield "states.svg", states()
    yield "outage.svg", _svg(outage.WIDTH, outage.HEIGHT, outage.TITLE, outage.parts())
    yield "tiers.svg", tiers(strategy({circuit: Switch() for circuit in CIRCUITS}))


def _box(x: int, y: int, name: str, kind: str) -> str:
    width, height = BOX
    return (
        f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>'
        f'<text class="name" x="{x + width // 2}" y="{y + 28}">{escape(name)}</text>'
    )


def _lines(x: int, y: int, lines: Iterable[str]) -> list[str]:
    upwards = list(enumerate(reversed(list(lines))))
    return [f'<text class="small" x="{x}" y="{y - 17 * n}">{escape(line)}</text>' for n, line in upwards]


def _svg(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    drawn = "\n  ".join(parts)
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    return f"{opening}\n  <title>{title}</title>{STYLE}\n  {drawn}\n</svg>\n"


if __name__ == "__main__":
    for file, drawing in drawings():
        (Path(sys.argv[1]) / file).write_text(drawing, encoding="utf-8")
