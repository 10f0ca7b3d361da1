"""Small plots of figures over a number that grows by multiples: a line for each contender, the bar as a dashed line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.report.figures import shown
from benchmarks.report.rows import Row

LEFT, WIDTH, RIGHT = 60, 380, 200
TOP, HEIGHT, BOTTOM = 14, 170, 40
OURS, THEIRS, INK, LINE, FAINT = "#0f8b8d", "#9aa5ab", "#7a7a7a", "#d1495b", "#dddddd"
STYLE = "font: 12px system-ui, sans-serif"

Point = tuple[float, float]


def curve(rows: Sequence[Row]) -> str:
    """An SVG of the rows that were measured; empty if no contender was measured at two places."""
    lines = {
        who: [(row.at, row.figure) for row in its if row.at is not None and row.figure is not None]
        for who, its in itertools.groupby(rows, lambda row: row.who)
    }
    bars = sorted({row.bar.value for row in rows if row.bar})
    points = [point for its in lines.values() for point in its]
    largest = max([figure for _, figure in points] + bars, default=0.0)
    if largest <= 0 or max(map(len, lines.values())) < 2:
        return ""
    frame = _Frame(sorted({at for at, _ in points}), largest * 1.05)
    width, height = LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
        f"<title>{escape(f'{rows[0].group}, {rows[0].unit}')}</title>",
        *frame.axes(rows[0].axis, rows[0].unit, [0.0, largest / 2, largest]),
        *(part for who, its in lines.items() if its for part in frame.line(who, its)),
        *(frame.bar(value) for value in bars),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Frame:
    """Where a figure stands: the logarithm of `at` to the right, the figure upwards from 0."""

    def __init__(self, places: Sequence[float], top: float) -> None:
        self._places, self._top = places, top
        self._first, self._span = math.log(places[0]), math.log(places[-1] / places[0]) or 1.0

    def _x(self, at: float) -> float:
        return LEFT + WIDTH * (math.log(at) - self._first) / self._span

    def _y(self, figure: float) -> float:
        return TOP + HEIGHT * (1 - figure / self._top)

    def axes(self, axis: str, unit: str, figures: Sequence[float]) -> Iterator[str]:
        for figure in figures:
            y = self._y(figure)
            yield f'<path d="M{LEFT} {y:.1f}H{LEFT + WIDTH}" stroke="{FAINT}"/>'
            yield _text(LEFT - 8, y + 4, shown(figure), "end")
        for at in self._places:
            yield _text(self._x(at), TOP + HEIGHT + 18, shown(at), "middle")
        yield _text(LEFT + WIDTH / 2, TOP + HEIGHT + 34, axis, "middle")
        yield _text(LEFT + WIDTH + 8, TOP + HEIGHT + 18, unit, "start")

    def line(self, who: str, points: Sequence[Point]) -> Iterator[str]:
        colour = OURS if who.startswith("ours") else THEIRS
        places = [(self._x(at), self._y(figure)) for at, figure in points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for x, y in places:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
        x, y = places[-1]
        yield _text(x + 8, y + 4, f"{who}: {shown(points[-1][1])}", "start")

    def bar(self, value: float) -> str:
        path = f"M{LEFT} {self._y(value):.1f}H{LEFT + WIDTH}"
        return f'<path d="{path}" stroke="{LINE}" stroke-width="1.5" stroke-dasharray="4 3"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{INK}" style="{STYLE}">{escape(text)}</text>'
