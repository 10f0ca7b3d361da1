"""The table of circuits. Why a circuit is not closed, and shares, are shown at every width.

Where there is no room for a column, the reason has a line of its own below its circuit. A name that is wider than its
column has a line of its own, too: names are never cut.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from ha_rag.dashboards.text.circuit_layout import GAP, Circuits, Layout, layout_of
from ha_rag.dashboards.text.circuit_words import countdown, spark, state_words, why
from ha_rag.dashboards.text.viewport import Viewport, is_troubled, safe, state_of
from ha_rag.dashboards.text.wrapping import padded, shortened, wrapped
from ha_rag.monitor.openings import shown_rates
from ha_rag.monitor.snapshot import CircuitPicture

LEFT_ALIGNED = frozenset({"state", "failures", "why"})
WHY_LINES = 3
"""Lines that one reason may take; the page of the circuit shows all of it."""


def circuit_lines(given: Circuits, view: Viewport, room: int) -> list[Text]:
    """The table, in about `room` lines; if that is too few, the selected circuit and those that are not well first."""
    layout = layout_of(given, view)
    heading = _heading(layout)
    blocks = {circuit.name: _block(circuit, given, layout, view) for circuit in given.circuits}
    if len(heading) + sum(map(len, blocks.values())) <= room:
        return [*heading, *(line for block in blocks.values() for line in block)]
    shown: set[str] = set()
    left = room - len(heading) - 1
    for circuit in sorted(given.circuits, key=lambda each: _urgency(each, given.selected)):
        if shown and len(blocks[circuit.name]) > left:
            break
        shown.add(circuit.name)
        left -= len(blocks[circuit.name])
    lines = [line for name, block in blocks.items() if name in shown for line in block]
    hidden = [circuit for circuit in given.circuits if circuit.name not in shown]
    return [*heading, *lines, *([shortened(_others(hidden), view.width)[0]] if hidden else [])]


def _heading(layout: Layout) -> list[Text]:
    if layout.stacked:
        return []
    cells = [padded(Text("circuit", "dim"), layout.name)]
    cells += [
        padded(Text(column, "dim"), width, right=column not in LEFT_ALIGNED) for column, width in layout.columns.items()
    ]
    return [_row(cells, layout, selected=False)]


def _block(circuit: CircuitPicture, given: Circuits, layout: Layout, view: Viewport) -> list[Text]:
    """The lines of one circuit."""
    selected = circuit.name == given.selected
    name = Text(safe(circuit.name), "reverse" if selected else "")
    cells = {column: _cell(column, circuit, given, layout, view) for column in layout.columns}
    reason = cells.pop("why", None)
    values = [padded(cell, layout.columns[column], right=column not in LEFT_ALIGNED) for column, cell in cells.items()]
    if layout.stacked:
        lines = [_row([part], layout, selected=selected) for part in _own_line(name, layout, view)]
        facts = Text("  ").join(cell for cell in cells.values() if cell.plain)
        lines += [Text("  ").append_text(line) for line in wrapped(facts, view.width - GAP)]
    elif cell_len(name.plain) > layout.name:
        lines = [_row([part], layout, selected=selected) for part in _own_line(name, layout, view)]
        lines.append(_row([Text(" " * layout.name), *values], layout, selected=False))
    else:
        lines = [_row([padded(name, layout.name), *values], layout, selected=selected)]
    if reason is not None:
        return _beside(lines, reason, layout, view)
    return lines + [
        Text("    ").append_text(line)
        for line in shortened(_below(circuit, given, layout), view.width - 4, WHY_LINES, ellipsis=view.ellipsis)
        if line.plain
    ]


def _own_line(name: Text, layout: Layout, view: Viewport) -> list[Text]:
    return wrapped(name, view.width - layout.mark)


def _row(cells: Sequence[Text], layout: Layout, *, selected: bool) -> Text:
    mark = "" if not layout.mark else "> " if selected else "  "
    line = Text(mark).append_text(Text(" " * GAP).join(cells))
    line.rstrip()
    return line


def _beside(lines: list[Text], reason: Text, layout: Layout, view: Viewport) -> list[Text]:
    """The reason as the last column, on as many lines as it takes."""
    width = layout.columns["why"]
    parts = shortened(reason, width, WHY_LINES, ellipsis=view.ellipsis)
    start = view.width - width
    first = padded(lines[-1], start).append_text(parts[0])
    first.rstrip()
    return [*lines[:-1], first, *(Text(" " * start).append_text(part) for part in parts[1:])]


def _below(circuit: CircuitPicture, given: Circuits, layout: Layout) -> Text:
    wait = "" if "recovers" in layout.columns else countdown(circuit, given.ago_s)
    return Text("; ".join(filter(None, [wait and f"recovers in {wait}", why(circuit)])), "dim")


def _cell(column: str, circuit: CircuitPicture, given: Circuits, layout: Layout, view: Viewport) -> Text:
    failed, slow, calls = shown_rates(circuit)
    match column:
        case "state":
            return Text(state_words(circuit, view, short=layout.short), view.style(state_of(circuit)))
        case "share":
            share = given.shares.get(circuit.name)
            return Text("" if share is None else f"{share:.0%}")
        case "failures":
            return spark(circuit.history[-layout.columns[column] :], view)
        case "failed":
            return Text(f"{failed:.0%}")
        case "slow":
            return Text(f"{slow:.0%}")
        case "calls":
            return Text(str(calls))
        case "recovers":
            return Text(countdown(circuit, given.ago_s))
        case _:
            return Text(why(circuit), "dim")


def _urgency(circuit: CircuitPicture, selected: str) -> tuple[bool, bool, bool]:
    return (circuit.name != selected, circuit.state != "open", not is_troubled(circuit))


def _others(hidden: Sequence[CircuitPicture]) -> Text:
    troubled = sum(map(is_troubled, hidden))
    words = f"{troubled} of them not well" if troubled else "all closed" if len(hidden) > 1 else "closed"
    return Text(f"and {len(hidden)} more circuit{'s' if len(hidden) > 1 else ''}, {words}", "dim")
