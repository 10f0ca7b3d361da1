"""Small plots of one group of rows: a bar for each contender, a whisker for its spread, a line for the bar to reach.

Rows that are measured at several places, such as numbers of replicas, are drawn as curves (`curve.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.report.curve import curve
from benchmarks.report.figures import shown
from benchmarks.report.rows import Row

LABEL, BARS, RIGHT, STEP, TOP = 250, 330, 90, 22, 8
OURS, THEIRS, INK, LINE = "#0f8b8d", "#9aa5ab", "#7a7a7a", "#d1495b"
STYLE = "font: 12px system-ui, sans-serif"


def plot(rows: Sequence[Row]) -> str:
    """An SVG of the rows that were measured; empty with fewer than two, as there is nothing to compare."""
    if any(row.at is not None for row in rows):
        return curve(rows)
    measured = [(row, row.figure) for row in rows if row.figure is not None]
    bars = [row.bar.value for row, _ in measured if row.bar]
    largest = max([row.high or figure for row, figure in measured] + bars, default=0.0)
    if len(measured) < 2 or largest <= 0:
        return ""
    height = TOP * 2 + STEP * len(measured)
    width = LABEL + BARS + RIGHT
    title = escape(f"{rows[0].group}, {rows[0].unit}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
        f"<title>{title}</title>",
        *(_bar(row, figure, TOP + STEP * number, BARS / largest) for number, (row, figure) in enumerate(measured)),
        *(_target(value, height, BARS / largest) for value in sorted(set(bars))),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bar(row: Row, figure: float, top: int, scale: float) -> str:
    middle = top + STEP // 2
    colour = OURS if row.who.startswith("ours") else THEIRS
    low, high = (LABEL + scale * (end if end is not None else figure) for end in (row.low, row.high))
    text = f'y="{middle + 4}" fill="{INK}" style="{STYLE}"'
    return (
        f'<text x="{LABEL - 8}" text-anchor="end" {text}>{escape(row.who)}</text>'
        f'<rect x="{LABEL}" y="{top + 4}" width="{max(1.0, scale * figure):.1f}" height="{STEP - 8}" fill="{colour}"/>'
        f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="{INK}" stroke-width="1.5"/>'
        f'<text x="{max(high, LABEL + scale * figure) + 6:.1f}" {text}>{shown(figure)}</text>'
    )


def _target(value: float, height: int, scale: float) -> str:
    x = LABEL + scale * value
    return f'<path d="M{x:.1f} 2V{height - 2}" stroke="{LINE}" stroke-width="1.5" stroke-dasharray="4 3"/>'
