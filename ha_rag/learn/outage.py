"""One outage under two laws, as a drawing: the window alone, and the window with a streak. Worked out by the rules.

A service answers 40 calls a second, evenly spaced, and from one moment on fails all of them. Each call is reported by
itself and at once, so what the drawing shows is the law and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ha_rag.circuit import rules
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.state import Circuit, CircuitState, Counts
from ha_rag.circuit.streak import MIN_NET_FAILURES
from ha_rag.circuit.terms import Terms
from ha_rag.circuit.window import total

TITLE = "The same outage, noticed by the window alone and by a streak"
WIDTH, HEIGHT = 780, 356
EVERY_MS = 25
BEFORE_MS, SHOWN_MS = 12_000, 1_000
"""How long the service was well before, and how much of that is drawn."""

DIED_MS = 1_000_000
END_MS = DIED_MS + 6_000
RED, GREY = "#cf222e", "#57606a"


@dataclass(frozen=True)
class Outage:
    """How one law saw it. `evidence`: (ms since the service died, what the law looks at), call by call until it opens.

    `calls`: that reached the dead service. `opened_ms`: after its death.
    """

    evidence: tuple[tuple[int, float], ...]
    calls: int
    opened_ms: int


def noticed(policy: CircuitPolicy, looks_at: Callable[[Circuit, Terms, int], float]) -> Outage:
    """The outage under that policy. ValueError: it was not noticed in the time drawn."""
    terms, circuit, evidence, calls = Terms.of(policy), Circuit(), list[tuple[int, float]](), 0
    for number, now_ms in enumerate(range(DIED_MS - BEFORE_MS, END_MS, EVERY_MS), 1):
        dead = now_ms >= DIED_MS
        calls += dead
        counts = Counts(failed=1) if dead else Counts(ok=1)
        batch = Batch("rag-1", number, (Tally(circuit.epoch, now_ms, counts),))
        ruling = rules.record(circuit, terms, now_ms, batch)
        if ruling.circuit.state is CircuitState.OPEN:
            return Outage(tuple(evidence), calls, now_ms - DIED_MS)
        circuit = ruling.circuit
        evidence.append((now_ms - DIED_MS, looks_at(circuit, terms, now_ms)))
    raise ValueError(f"{policy} did not notice the outage within {END_MS - DIED_MS} ms")


def share_failed(circuit: Circuit, terms: Terms, now_ms: int) -> float:
    """What the window looks at."""
    return total(circuit.window, now_ms, terms).failure_rate


def streak_length(circuit: Circuit, terms: Terms, now_ms: int) -> float:
    """What the streak looks at, where the service fails all of its calls."""
    return circuit.streak.bad


def parts() -> Iterator[str]:
    """The drawing, as SVG elements."""
    policy = CircuitPolicy()
    alone = noticed(CircuitPolicy(blip_s=policy.window_s), share_failed)
    both = noticed(policy, streak_length)
    threshold = policy.failure_threshold
    yield from _panel(
        54, "The window alone: what share of the last 10 seconds' calls failed", alone, threshold, f"{threshold:.0%}"
    )
    blip_x = _x(round(policy.blip_s * 1000))
    yield f'<rect x="{_x(0)}" y="210" width="{blip_x - _x(0)}" height="90" style="fill: #fff8c5; stroke: none"/>'
    yield f'<text class="small" x="{blip_x + 8}" y="296" style="text-anchor: start">a blip, up to here</text>'
    yield from _panel(
        198,
        "With a streak: by how many calls failures outweigh successes",
        both,
        MIN_NET_FAILURES,
        f"{MIN_NET_FAILURES} calls",
    )
    yield f'<path d="M{_x(-SHOWN_MS)} 328 H{_x(END_MS - DIED_MS) + 14}"/>'
    for second in range(-1, 7):
        yield f'<text class="small" x="{_x(second * 1000)}" y="346">{f"{second} s" if second else "it dies"}</text>'


def _panel(top: int, title: str, outage: Outage, needed: float, named: str) -> Iterator[str]:
    """One law: its evidence, what it needs, when it opens, and the calls that reached the service until then."""
    bottom, opened_x = top + 102, _x(outage.opened_ms)
    left = 'style="text-anchor: start"'
    level = bottom - 80
    shown = [(ms, value) for ms, value in outage.evidence if ms >= -SHOWN_MS]
    points = " ".join(f"{_x(ms)},{bottom - min(1.1, value / needed) * 80:.0f}" for ms, value in shown)
    yield f'<text class="name" x="40" y="{top - 6}" {left}>{title}</text>'
    yield f'<line x1="40" y1="{level}" x2="720" y2="{level}" style="stroke: {GREY}; stroke-dasharray: 4 3"/>'
    yield f'<text class="small" x="726" y="{level + 4}" {left}>{named}</text>'
    yield f'<polyline points="{points}" style="fill: none; stroke: {GREY}; stroke-width: 2"/>'
    yield f'<line x1="{opened_x}" y1="{top}" x2="{opened_x}" y2="{bottom + 10}" style="stroke: {RED}"/>'
    yield f'<rect class="open" x="{_x(0)}" y="{bottom + 2}" width="{opened_x - _x(0)}" height="8"/>'
    opens = f"opens after {outage.opened_ms / 1000:.1f} s; {outage.calls} calls reached the dead service"
    # Where the curve leaves room: below its end on the left, or on the right of an early one.
    anchor, x, y = ("end", opened_x - 8, bottom - 10) if opened_x > WIDTH // 2 else ("start", opened_x + 8, top + 44)
    yield f'<text class="small" x="{x}" y="{y}" style="text-anchor: {anchor}; fill: {RED}">{opens}</text>'


def _x(ms: int) -> int:
    return 130 + round(ms * 0.09)
