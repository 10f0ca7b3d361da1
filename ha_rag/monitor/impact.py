"""Impact: what users get, as one headline, what is wrong in words, and a level that gives the colour.

The level follows from what happens to questions and not from how many circuits are open: the worst rule of `RULES` that
applies decides. Pure functions of a snapshot; replicas serve the result in `/v1/fleet`, and the page and the terminal
show it as it is, so that they agree. `python -m ha_rag.monitor.impact` prints the table of `docs/watching.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ha_rag.monitor.circuit_words import DOT, duration, sentence
from ha_rag.monitor.snapshot import CircuitPicture, FleetSnapshot, Impact, Level
from ha_rag.monitor.stages import FleetStage, alone, is_open_everywhere, split, stages

NOTABLE = 0.01
"""Shares of questions below this do not change the level."""

MAX_PROBLEMS, MAX_NOTES = 6, 4
"""Lines shown; the list of circuits has them all."""

LEVELS: tuple[Level, ...] = ("well", "reduced", "failing")
"""From the best to the worst."""

COLOURS: dict[Level, str] = {"well": "green", "reduced": "amber", "failing": "red"}
SYMBOLS: dict[Level, str] = {"well": "●", "reduced": "◐", "failing": "■"}
"""Beside the colour, for people who cannot tell colours apart."""

_NEEDED = ("retriever", "generator")
"""Stages without which there is no answer; the others are done without."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`when` in words, and what decides it. `short`: what the browser's tab says."""

    level: Level
    when: str
    applies: Callable[[FleetSnapshot], bool]
    short: Callable[[FleetSnapshot], str]


def impact(picture: FleetSnapshot) -> Impact:
    """The impact of what `picture` shows. Its own `impact` is ignored."""
    rule = next((rule for rule in RULES if rule.applies(picture)), None)
    level: Level = "well" if rule is None else rule.level
    lines = list(_circuit_lines(picture))
    problems = [*_fleet_problems(picture), *(text for harms, text in lines if harms)]
    notes = [text for harms, text in lines if not harms]
    short = "all is well" if rule is None else rule.short(picture)
    return Impact(
        level=level,
        headline=DOT.join(_headline(picture)),
        problems=_first(problems, MAX_PROBLEMS),
        notes=_first(notes, MAX_NOTES),
        title=f"{SYMBOLS[level]} {short}{DOT}ha_rag",
    )


def with_impact(picture: FleetSnapshot) -> FleetSnapshot:
    """The snapshot with its impact; replicas of 0.1.0 send none."""
    return picture if picture.impact is not None else replace(picture, impact=impact(picture))


def _first(lines: list[str], most: int) -> tuple[str, ...]:
    return tuple(lines) if len(lines) <= most else (*lines[: most - 1], f"and {len(lines) - most + 1} more")


# ---- the headline ---------------------------------------------------------------------------------------------------


def _headline(picture: FleetSnapshot) -> Iterator[str]:
    traffic = picture.traffic
    if _has_stages(picture):
        if traffic.lost_share > 0:
            yield f"{percent(traffic.lost_share)} of questions not answered"
        else:
            yield "All questions answered" if traffic.per_s else "No questions now"
        if traffic.per_s:
            yield f"{percent(traffic.degraded_share)} degraded"
            if traffic.p99_ms is not None:
                yield f"p99 {milliseconds(traffic.p99_ms)}"
    else:
        yield _calls(picture)
    yield _replicas(picture)


def _calls(picture: FleetSnapshot) -> str:
    """The headline's beginning in a fleet that guards calls and answers no questions."""
    known = len(picture.circuits)
    counts = {state: sum(c.state == state for c in picture.circuits) for state in ("open", "half_open")}
    said = [f"{count} of {known} circuits {state.replace('_', '-')}" for state, count in counts.items() if count]
    return ", ".join(said) or ("All circuits closed" if known else "No circuits yet")


def _replicas(picture: FleetSnapshot) -> str:
    live, lost = len(picture.replicas), len(picture.lost)
    if _is_cut_off(picture):
        return "other replicas unknown"
    return f"{live} of {live + lost} replica{'s' if live + lost != 1 else ''}"


def percent(share: float) -> str:
    """`38 %`; what is between 0 and 1 % or 99 and 100 % is not rounded away."""
    if 0 < share < NOTABLE:
        return "under 1 %"
    return "over 99 %" if 0.99 < share < 1 else f"{round(100 * share)} %"


def milliseconds(ms: float) -> str:
    """`4.2 ms`, `420 ms`, `2.35 s`."""
    return f"{ms:.1f} ms" if ms < 9.95 else f"{round(ms)} ms" if ms < 999.5 else f"{ms / 1000:.2f} s"


# ---- what is wrong --------------------------------------------------------------------------------------------------


def _fleet_problems(picture: FleetSnapshot) -> Iterator[str]:
    if not picture.replicas:
        yield "no replica is running"
    if _is_cut_off(picture):
        why = f" ({picture.redis.problem})" if picture.redis.problem else ""
        yield f"Redis is unreachable{why}: each replica decides by its own calls"
    for stage in _out(picture):
        yield f"no tier of the {stage.name} is left"
    for lost in picture.lost:
        yield f"replica {lost.name} is lost: no heartbeat for {duration(lost.silent_s)}"


def _circuit_lines(picture: FleetSnapshot) -> Iterator[tuple[bool, str]]:
    """What is said of each circuit that is not as it should be, and whether that harms answers; the harmful first."""
    by_name = {stage.name: stage for stage in stages(picture)}
    lines = [(*_line(circuit, by_name, picture), circuit) for circuit in picture.circuits if _is_special(circuit)]
    for harms, text, _ in sorted(lines, key=lambda line: (not line[0], _rank(line[2]), line[2].name)):
        yield harms, text


def _line(circuit: CircuitPicture, by_name: dict[str, FleetStage], picture: FleetSnapshot) -> tuple[bool, str]:
    name, tier = split(circuit.name)
    stage = by_name.get(name)
    if stage is None:
        return _is_troubled(circuit), sentence(circuit, picture.at)
    return _harms(circuit, stage), sentence(circuit, picture.at, stage.instead_of(tier))


def _is_special(circuit: CircuitPicture) -> bool:
    return circuit.override is not None or _is_troubled(circuit)


def _is_troubled(circuit: CircuitPicture) -> bool:
    return circuit.state != "closed" or any(there.state != "closed" for there in circuit.differing)


def _harms(circuit: CircuitPicture, stage: FleetStage) -> bool:
    """Whether answers are worse for it: the preferred tier's is troubled, or it is one of those that it falls back on.

    While the preferred tier is closed nobody needs the others.
    """
    preferred = any(_is_troubled(other) for tier, other in stage.tiers.items() if stage.is_preferred(tier))
    return _is_troubled(circuit) and preferred


def _rank(circuit: CircuitPicture) -> int:
    return ("open", "half_open", "closed").index(circuit.state)


# ---- the rules ------------------------------------------------------------------------------------------------------


def _has_stages(picture: FleetSnapshot) -> bool:
    return bool(picture.tiers or picture.traffic.per_s or stages(picture))


def _is_cut_off(picture: FleetSnapshot) -> bool:
    return picture.redis.configured and not picture.redis.reachable


def _out(picture: FleetSnapshot) -> list[FleetStage]:
    return [stage for stage in stages(picture) if stage.is_out()]


def _needed_out(picture: FleetSnapshot) -> list[str]:
    return [stage.name for stage in _out(picture) if stage.name in _NEEDED]


def _open_alone(picture: FleetSnapshot) -> list[str]:
    return [circuit.name for circuit in alone(picture) if is_open_everywhere(circuit, len(picture.replicas))]


def _harmed(picture: FleetSnapshot) -> list[str]:
    """The circuits of stages that harm answers, and those of no stage that are not closed everywhere."""
    harmed = [c.name for stage in stages(picture) for c in stage.tiers.values() if _harms(c, stage)]
    return harmed + [circuit.name for circuit in alone(picture) if _is_troubled(circuit)]


def _named(names: list[str], what: str) -> str:
    return f"{names[0]} {what}" if len(names) == 1 else f"{len(names)} circuits {what}"


RULES = (
    Rule(
        "failing",
        "no replica is running",
        lambda fleet: not fleet.replicas,
        lambda _: "no replica is running",
    ),
    Rule(
        "failing",
        "1 % of the questions or more were refused, failed, broke off, or got only the last resort's sentence",
        lambda fleet: fleet.traffic.lost_share >= NOTABLE,
        lambda fleet: f"{percent(fleet.traffic.lost_share)} not answered",
    ),
    Rule(
        "failing",
        "every tier of the retriever or of the generator is open in every replica",
        lambda fleet: bool(_needed_out(fleet)),
        lambda fleet: f"no {_needed_out(fleet)[0]} is left",
    ),
    Rule(
        "failing",
        "a circuit outside the pipeline is open: its callers are refused, and no fallback is known",
        lambda fleet: bool(_open_alone(fleet)),
        lambda fleet: _named(_open_alone(fleet), "open"),
    ),
    Rule(
        "reduced",
        "1 % of the questions or more got a degraded answer",
        lambda fleet: fleet.traffic.degraded_share >= NOTABLE,
        lambda fleet: f"{percent(fleet.traffic.degraded_share)} degraded",
    ),
    Rule(
        "reduced",
        "the circuit of a stage's first tier is open or half-open, in one replica or more, by itself or by hand, also "
        "without a question; or a circuit outside the pipeline is half-open, or open in some replicas",
        lambda fleet: bool(_harmed(fleet)),
        lambda fleet: _named(_harmed(fleet), "not closed"),
    ),
    Rule(
        "reduced",
        "Redis is unreachable: each replica decides by its own calls",
        _is_cut_off,
        lambda _: "Redis is unreachable",
    ),
    Rule(
        "reduced",
        "a replica is lost: its heartbeats stopped, and it did not leave",
        lambda fleet: bool(fleet.lost),
        lambda fleet: f"{len(fleet.lost)} lost" if len(fleet.lost) > 1 else f"{fleet.lost[0].name} is lost",
    ),
)
"""From the worst to the best; the first that applies gives the level. If none does, all is well."""


def table() -> str:
    """The rules as a Markdown table."""
    rows = [f"| {COLOURS[rule.level]} | {SYMBOLS[rule.level]} | {rule.when} |" for rule in RULES]
    rest = "nothing of this; a fallback may be open or half-open while the tier before it is closed"
    return "\n".join(
        ["| colour | | when |", "|---|---|---|", *rows, f"| {COLOURS['well']} | {SYMBOLS['well']} | {rest} |"]
    )


if __name__ == "__main__":
    print(table())
