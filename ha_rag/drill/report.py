"""The HTML report of a drill: one self-contained page with tables, and what happened drawn over time."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from ha_rag.dashboards import map_drawing
from ha_rag.drill.display import LEGEND, detection_cells, problems_of, verdict
from ha_rag.drill.maps import maps
from ha_rag.drill.recording import UNREACHABLE, Recording, Span
from ha_rag.drill.result import StageResult
from ha_rag.harmless import harmless

LEFT, TOP, WIDTH, ROW = 190, 18, 1000, 14
BIN_S = 0.5
STAGES = ("embedder", "retriever", "generator")
STATES = ("closed", "half_open", "open", UNREACHABLE)
TIERS = ("#2f7d4f", "#c9a227", "#c46a2b", "#8a4fa3", "#5b6770")
"""The colours of a pipeline stage's tiers, in the order in which they first answered."""
STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --pale: #656d76; --line: #d0d7de; --page: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --pale: #9198a1; --line: #3d444d; --page: #0d1117; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 2rem auto;
  max-width: 1240px; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h3 { font-size: .95rem; margin: 1rem 0 .2rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; } p.verdict { font-size: 1.15rem; }
.lost, .failed { color: #cf222e; } .scroll { overflow-x: auto; }
dl { color: var(--pale); font-size: .85rem; display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; }
dd { margin: 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } th { color: var(--pale); font-weight: 500; }
td, th { padding: .2rem .9rem .2rem 0; text-align: right; white-space: nowrap; }
td:nth-child(-n+2), th:nth-child(-n+2) { text-align: left; }
svg rect { shape-rendering: crispEdges; }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink); } svg .pale { fill: var(--pale); }
.note { color: var(--pale); font-size: .85rem; margin: 0; }
.closed { fill: #2f7d4f; } .open { fill: #cf222e; } .half_open { fill: #c9a227; } .unreachable { fill: #8c959f; }
.outage { fill: #cf222e; } .edge { stroke: var(--line); }
.answer { fill: #2f6fb0; opacity: .55; } .loss { fill: #cf222e; }
.key span { display: inline-block; width: .8em; height: .8em; margin: 0 .35em 0 1em; vertical-align: -.05em; }
"""


def _safe(text: object) -> str:
    """`text` for the page: as text of an element, or as a quoted attribute."""
    return escape(harmless(text))


def report(recording: Recording, results: Sequence[StageResult]) -> str:
    """The page, as HTML."""
    parts = [
        _problems(results),
        _answers(results),
        _detection(results),
        _outages(recording),
        *_charts(recording),
        *maps(recording),
    ]
    failed = "" if all(result.passed for result in results) else " failed"
    return (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>ha-rag drill</title><style>{STYLE}{map_drawing.STYLE}</style></head><body>\n<h1>ha-rag drill</h1>\n"
        f"<p class='verdict{failed}'>{_safe(verdict(results))}</p>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


# ---- tables ---------------------------------------------------------------------------------------------------------


def _answers(results: Sequence[StageResult]) -> str:
    rows = (
        (each, [str(each.asked), str(each.lost), str(each.degraded), _ms(each.p50_ms), _ms(each.p99_ms)])
        for each in results
    )
    return _table(("asked", "lost", "degraded", "p50", "p99"), rows)


def _detection(results: Sequence[StageResult]) -> str:
    meanings = "".join(f"<dt>{_safe(column)}<dd>{_safe(meaning)}" for column, meaning in LEGEND)
    table = _table([column for column, _ in LEGEND], ((each, detection_cells(each)) for each in results))
    return f"<h2>How soon it was noticed</h2>{table}<dl>{meanings}</dl>"


def _table(heads: Sequence[str], rows: Iterable[tuple[StageResult, Iterable[str]]]) -> str:
    lines = (
        f"<tr><td>{'✓' if each.passed else '✗'}<td>{_safe(each.title)}{''.join(f'<td>{_safe(cell)}' for cell in cells)}"
        for each, cells in rows
    )
    head = "".join(f"<th>{_safe(head)}" for head in ("", "stage", *heads))
    return f"<div class=scroll><table><tr>{head}{''.join(lines)}</table></div>"


def _problems(results: Sequence[StageResult]) -> str:
    problems = (f"{each.title}: {problem}" for each in results for problem in problems_of(each))
    return "".join(f"<p class=lost>{_safe(problem)}</p>" for problem in problems)


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} ms"


def _outages(recording: Recording) -> str:
    titles = [_safe(title) for title, span in recording.phases if span.what == "outage"]
    listed = "; ".join(f"{number} {title}" for number, title in enumerate(titles, 1))
    return f"<p class=note>The red strips below are the outages: {listed}.</p>" if listed else ""


# ---- charts ---------------------------------------------------------------------------------------------------------


def _charts(recording: Recording) -> Iterator[str]:
    states = _state_key(STATES)
    yield _chart("Circuits of each replica", _circuits(recording), recording, states)
    for stage in STAGES:
        yield _chart(f"Tiers that served: {stage}", _shares(recording, stage), recording, _tier_key(recording, stage))
    title = "Latency of each answer (unanswered questions in red, at the top)"
    yield _chart(title, _latencies(recording), recording)


def _circuits(recording: Recording) -> tuple[int, list[str]]:
    """A row for each replica of each circuit that opened anywhere."""
    drawn, y = [], 0
    quiet = {"closed", UNREACHABLE}
    opened = {circuit for (circuit, _), spans in recording.states.items() if {span.what for span in spans} - quiet}
    for circuit in sorted(opened):
        for (_, replica), spans in sorted((key, spans) for key, spans in recording.states.items() if key[0] == circuit):
            drawn.append(f"<text x={LEFT - 8} y={y + 11} text-anchor=end>{_safe(circuit)} · {_safe(replica)}</text>")
            drawn += [_bar(recording, span, y, ROW - 3, _state_class(span.what)) for span in spans]
            y += ROW
        y += 6
    return y, drawn


def _state_class(state: str) -> str:
    return state if state in STATES else UNREACHABLE


def _shares(recording: Recording, stage: str) -> tuple[int, list[str]]:
    """Each tier's share of the answers, a column for each half second."""
    height, colours = 60, _colours(recording, stage)
    bins: dict[int, Counter[str]] = defaultdict(Counter)
    for at_s, reply in recording.replies:
        if reply.answered and stage in reply.served_by:
            bins[int(at_s / BIN_S)][reply.served_by[stage]] += 1
    drawn = []
    for number, counts in sorted(bins.items()):
        span, y = Span(number * BIN_S, (number + 1) * BIN_S, ""), 0.0
        for tier in reversed(colours):  # the preferred one at the bottom
            tall = height * counts[tier] / counts.total()
            if tall:
                drawn.append(_bar(recording, span, y, tall, "", fill=colours[tier]))
            y += tall
    return height, drawn


def _latencies(recording: Recording) -> tuple[int, list[str]]:
    """A dot for each question, on a logarithmic scale from 1 ms to 10 s."""
    height = 150

    def y(ms: float) -> float:
        return height - height * min(4.0, max(0.0, math.log10(max(ms, 1.0)))) / 4

    drawn = [
        f"<text class=pale x={LEFT - 8} y={y(ms) + 4:.1f} text-anchor=end>{label}</text>"
        f"<line class=edge x1={LEFT} x2={LEFT + WIDTH} y1={y(ms):.1f} y2={y(ms):.1f} />"
        for ms, label in ((1, "1 ms"), (10, "10 ms"), (100, "100 ms"), (1000, "1 s"), (10_000, "10 s"))
    ]
    for at_s, reply in recording.replies:
        where = f"cx={_x(recording, at_s):.1f} cy={y(reply.ms) if reply.answered else 4:.1f}"
        drawn.append(
            f"<circle {where} r={1.6 if reply.answered else 3} class={'answer' if reply.answered else 'loss'} />"
        )
    return height, drawn


def _chart(title: str, drawing: tuple[int, list[str]], recording: Recording, key: str = "") -> str:
    """A drawing with the numbered outages above it and the time axis below it."""
    height, parts = drawing
    outages = [span for _, span in recording.phases if span.what == "outage"]
    strips = [_bar(recording, span, TOP - 5, 3, "outage") for span in outages]
    numbers = [
        f"<text class=pale x={_x(recording, span.from_s):.1f} y=10>{number}</text>"
        for number, span in enumerate(outages, 1)
    ]
    inside = f"<g transform='translate(0 {TOP})'>{''.join(parts)}</g>"
    size = f"viewBox='0 0 {LEFT + WIDTH + 10} {TOP + height + 22}' width='{LEFT + WIDTH + 10}'"
    drawn = "".join([*strips, *numbers, inside, *_ticks(recording, TOP + height)])
    return (
        f"<h2>{_safe(title)}</h2>{key}<div class=scroll>"
        f"<svg {size} role=img aria-label='{_safe(title)}'>{drawn}</svg></div>"
    )


def _ticks(recording: Recording, y: int) -> Iterator[str]:
    step = next((step for step in (1, 2, 5, 10, 20, 30, 60, 120) if recording.length_s / step <= 20), 300)
    for second in range(0, int(recording.length_s) + 1, step):
        yield f"<text class=pale x={_x(recording, second):.1f} y={y + 15} text-anchor=middle>{second} s</text>"


def _bar(recording: Recording, span: Span, y: float, height: float, css_class: str, *, fill: str = "") -> str:
    style = f"fill='{fill}'" if fill else f"class={css_class}"
    across = f"x={_x(recording, span.from_s):.1f} width={_width(recording, span):.1f}"
    return f"<rect {style} {across} y={y:.1f} height={height:.1f} />"


def _x(recording: Recording, at_s: float) -> float:
    return LEFT + WIDTH * min(at_s, recording.length_s) / (recording.length_s or 1.0)


def _width(recording: Recording, span: Span) -> float:
    return max(0.5, _x(recording, span.to_s) - _x(recording, span.from_s))


def _colours(recording: Recording, stage: str) -> dict[str, str]:
    tiers = dict.fromkeys(reply.served_by[stage] for _, reply in recording.replies if stage in reply.served_by)
    return {tier: TIERS[min(number, len(TIERS) - 1)] for number, tier in enumerate(tiers)}


def _state_key(states: Iterable[str]) -> str:
    shown = "".join(
        f"<svg width=12 height=12><rect class={state} width=12 height=12 /></svg> {state.replace('_', '-')} &nbsp; "
        for state in states
    )
    return f"<p class=key>{shown}</p>"


def _tier_key(recording: Recording, stage: str) -> str:
    colours = _colours(recording, stage).items()
    shown = "".join(f"<span style=background:{colour}></span>{_safe(tier)}" for tier, colour in colours)
    return f"<p class=key>{shown}</p>"
