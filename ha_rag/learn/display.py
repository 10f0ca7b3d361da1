"""What the reader sees: the tiers that a question went through, the answer, and the health of each component."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ha_rag.harmless import harmless
from ha_rag.messages import Answer, Attempt
from ha_rag.outcomes import Outcome
from ha_rag.strategy.status import ComponentStatus

STYLES = {"closed": "green", "open": "bold red", "half_open": "yellow"}
SIGNS = {"closed": "*", "open": "#", "half_open": "~"}


def path(answer: Answer, replica: int = 0) -> RenderableType:
    """The tiers that were tried, with their outcomes, and the answer. `replica`: shown unless 0."""
    parts = [Text(f"  Question{f' to replica {replica}' if replica else ''}: {harmless(answer.question)}", "bold")]
    for stage, served in answer.served_by.items():
        tried = [_tried(a) for a in answer.attempts if a.circuit.startswith(f"{stage}.") and a.outcome != Outcome.OK]
        way = "".join(f"{attempt} -> " for attempt in tried)
        parts.append(
            Text(harmless(f"  {stage:<10} {way}{served}"), "yellow" if stage in answer.degraded_stages else "")
        )
    parts.append(Text(f"  Answer: {harmless(answer.text, lines=True)}", "italic"))
    return Group(*parts)


def _tried(attempt: Attempt) -> str:
    name = attempt.circuit.partition(".")[2]
    match attempt.outcome:
        case Outcome.REJECTED:
            return f"{name} (skipped: circuit open)"
        case Outcome.INVALID:
            return f"{name} (not in the cache)"
        case outcome:
            return f"{name} ({outcome})"


def health(statuses: Mapping[str, ComponentStatus]) -> Padding:
    """`get_system_health()` as a table."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("component", "circuit"):
        table.add_column(title, no_wrap=True)
    for title in ("calls", "failed", "rate", "refused"):
        table.add_column(title, justify="right", no_wrap=True)
    for circuit, status in statuses.items():
        state = Text(f"{SIGNS[status.state]} {worded(status.state)}", STYLES[status.state])
        numbers: Iterable[str] = (
            str(status.calls), str(status.failures), f"{status.get_failure_rate():.0%}", str(status.rejected),
        )  # fmt: skip
        table.add_row(Text(harmless(circuit)), state, *numbers)
    return Padding(table, (0, 0, 0, 2))


def worded(state: str) -> str:
    """A state as written in text: half-open."""
    return state.replace("_", "-")
