"""The report of a drill: one page that needs nothing but itself, with what happened drawn over time."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from ha_rag.drill.film import Film, Span
from ha_rag.drill.picture import verdict
from ha_rag.drill.result import StageResult

LEFT, TOP, WIDTH, ROW = 190, 18, 1000, 14
BIN_S = 0.5
STAGES = ("embedder", "retriever", "generator")
TIERS = ("#2f7d4f", "#c9a227", "#c46a2b", "#8a4fa3", "#5b6770")
"""The colours of a stage's tiers, in the order of their first appearance."""
STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --pale: #656d76; --line: #d0d7de; --page: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --pale: #9198a1; --line: #3d444d; --page: #0d1117; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 2rem auto;
  max-width: 1240px; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; } p.verdict { font-size: 1.15rem; }
.lost, .failed { color: #cf222e; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } th { color: var(--pale); font-weight: 500; }
td, th { padding: .2rem .9rem .2rem 0; text-align: right; white-space: nowrap; }
td:nth-child(-n+2), th:nth-child(-n+2) { text-align: left; }
svg rect { shape-rendering: crispEdges; }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink); } svg .pale { fill: var(--pale); }
.said { color: var(--pale); font-size: .85rem; margin: 0; }
.closed { fill: #2f7d4f; } .open { fill: #cf222e; } .half_open { fill: #c9a227; } .gone { fill: #8c959f; }
.outage { fill: #cf222e; } .edge { stroke: var(--line); }
.answer { fill: #2f6fb0; opacity: .55; } .loss { fill: #cf222e; }
.key span { display: inline-block; width: .8em; height: .8em; margin: 0 .35em 0 1em; vertical-align: -.05em; }
"""


def report(film: Film, results: Sequence[StageResult]) -> str:
    """The page, as HTML."""
    parts = [
        _table(results),
        _outages(film),
        _drawn("Circuits, replica by replica", _circuits(film), film, _key(("closed", "half_open", "open", "gone"))),
        *(_drawn(f"Who served: {stage}", _shares(film, stage), film, _tier_key(film, stage)) for stage in STAGES),
        _drawn("Latency of each answer (questions without one in red, on top)", _latencies(film), film),
    ]
    failed = "" if all(result.passed for result in results) else " failed"
    return (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>ha-rag drill</title><style>{STYLE}</style></head><body>\n<h1>ha-rag drill</h1>\n"
        f"<p class='verdict{failed}'>{escape(verdict(results))}</p>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


# ---- the pieces -----------------------------------------------------------------------------------------------------


def _table(results: Sequence[StageResult]) -> str:
    heads = (
        "",
        "stage",
        "asked",
        "answered",
        "degraded",
        "p50",
        "p99",
        "all opened after",
        "reached it then",
        "well after",
    )
    rows = "".join(
        f"<tr><td>{'✓' if each.passed else '✗'}<td>{escape(each.title)}"
        + "".join(f"<td>{cell}" for cell in _cells(each))
        + "".join(f"<tr class=lost><td><td colspan=9>{escape(why)}" for why in (*each.missed, *each.failures))
        for each in results
    )
    return f"<div class=scroll><table><tr>{''.join(f'<th>{head}' for head in heads)}{rows}</table></div>"


def _cells(each: StageResult) -> Iterator[str]:
    yield from (str(each.asked), str(each.answered), str(each.degraded))
    yield from ("" if ms is None else f"{ms:.0f} ms" for ms in (each.p50_ms, each.p99_ms))
    yield "" if each.opened_s is None else f"{each.opened_s:.2f} s"
    yield "" if each.reached is None else str(each.reached)
    yield "" if each.closed_s is None else f"{each.closed_s:.2f} s"


def _outages(film: Film) -> str:
    names = [escape(name) for name, span in film.phases if span.what == "outage"]
    said = "; ".join(f"{number} {name}" for number, name in enumerate(names, 1))
    return f"<p class=said>The red strips below are the outages: {said}.</p>" if said else ""


def _circuits(film: Film) -> tuple[int, list[str]]:
    """A row for each replica of each circuit that did not stay as it was."""
    drawn, y = [], 0
    moved = {
        circuit for (circuit, _), spans in film.states.items() if {span.what for span in spans} - {"closed", "gone"}
    }
    for circuit in sorted(moved):
        for (_, replica), spans in sorted(
            (whose, spans) for whose, spans in film.states.items() if whose[0] == circuit
        ):
            drawn.append(f"<text x={LEFT - 8} y={y + 11} text-anchor=end>{escape(circuit)} · {escape(replica)}</text>")
            drawn += [_bar(film, span, y, ROW - 3, span.what) for span in spans]
            y += ROW
        y += 6
    return y, drawn


def _shares(film: Film, stage: str) -> tuple[int, list[str]]:
    """The shares of the tiers in what was answered, half a second a column."""
    height, colours = 60, _colours(film, stage)
    bins: dict[int, Counter[str]] = defaultdict(Counter)
    for at_s, reply in film.replies:
        if reply.answered and stage in reply.served_by:
            bins[int(at_s / BIN_S)][reply.served_by[stage]] += 1
    drawn = []
    for number, counts in sorted(bins.items()):
        span, y = Span(number * BIN_S, (number + 1) * BIN_S, ""), 0.0
        for tier in reversed(colours):  # the preferred one stands at the bottom
            tall = height * counts[tier] / counts.total()
            if tall:
                drawn.append(_bar(film, span, y, tall, "", fill=colours[tier]))
            y += tall
    return height, drawn


def _latencies(film: Film) -> tuple[int, list[str]]:
    """A dot for each question, on a logarithmic scale from 1 ms to 10 s."""
    height = 150

    def y(ms: float) -> float:
        return height - height * min(4.0, max(0.0, math.log10(max(ms, 1.0)))) / 4

    drawn = [
        f"<text class=pale x={LEFT - 8} y={y(ms) + 4:.1f} text-anchor=end>{label}</text>"
        f"<line class=edge x1={LEFT} x2={LEFT + WIDTH} y1={y(ms):.1f} y2={y(ms):.1f} />"
        for ms, label in ((1, "1 ms"), (10, "10 ms"), (100, "100 ms"), (1000, "1 s"), (10_000, "10 s"))
    ]
    for at_s, reply in film.replies:
        where = f"cx={_x(film, at_s):.1f} cy={y(reply.ms) if reply.answered else 4:.1f}"
        drawn.append(
            f"<circle {where} r={1.6 if reply.answered else 3} class={'answer' if reply.answered else 'loss'} />"
        )
    return height, drawn


def _drawn(title: str, drawing: tuple[int, list[str]], film: Film, key: str = "") -> str:
    """A drawing under the outages of the drill, which are numbered, with its axis."""
    height, parts = drawing
    outages = list(enumerate(((name, span) for name, span in film.phases if span.what == "outage"), 1))
    strips = [_bar(film, span, TOP - 5, 3, "outage") for _, (_, span) in outages]
    numbers = [f"<text class=pale x={_x(film, span.from_s):.1f} y=10>{number}</text>" for number, (_, span) in outages]
    inside = f"<g transform='translate(0 {TOP})'>{''.join(parts)}</g>"
    size = f"viewBox='0 0 {LEFT + WIDTH + 10} {TOP + height + 22}' width='{LEFT + WIDTH + 10}'"
    drawn = "".join([*strips, *numbers, inside, *_ticks(film, TOP + height)])
    return (
        f"<h2>{escape(title)}</h2>{key}<div class=scroll>"
        f"<svg {size} role=img aria-label='{escape(title, quote=True)}'>{drawn}</svg></div>"
    )


def _ticks(film: Film, y: int) -> Iterator[str]:
    step = next((step for step in (1, 2, 5, 10, 20, 30, 60, 120) if film.length_s / step <= 20), 300)
    for second in range(0, int(film.length_s) + 1, step):
        yield f"<text class=pale x={_x(film, second):.1f} y={y + 15} text-anchor=middle>{second} s</text>"


def _bar(film: Film, span: Span, y: float, height: float, kind: str, *, fill: str = "") -> str:
    look = f"fill='{fill}'" if fill else f"class={kind}"
    return f"<rect {look} x={_x(film, span.from_s):.1f} y={y:.1f} width={_wide(film, span):.1f} height={height:.1f} />"


def _x(film: Film, at_s: float) -> float:
    return LEFT + WIDTH * min(at_s, film.length_s) / (film.length_s or 1.0)


def _wide(film: Film, span: Span) -> float:
    return max(0.5, _x(film, span.to_s) - _x(film, span.from_s))


def _colours(film: Film, stage: str) -> dict[str, str]:
    tiers = dict.fromkeys(reply.served_by[stage] for _, reply in film.replies if stage in reply.served_by)
    return {tier: TIERS[min(number, len(TIERS) - 1)] for number, tier in enumerate(tiers)}


def _key(states: Iterable[str]) -> str:
    shown = "".join(
        f"<svg width=12 height=12><rect class={state} width=12 height=12 /></svg> {state.replace('_', '-')} &nbsp; "
        for state in states
    )
    return f"<p class=key>{shown}</p>"


def _tier_key(film: Film, stage: str) -> str:
    colours = _colours(film, stage).items()
    shown = "".join(f"<span style=background:{colour}></span>{escape(tier)}" for tier, colour in colours)
    return f"<p class=key>{shown}</p>"
