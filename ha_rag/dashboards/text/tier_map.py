"""The map: stages and their tiers in one line, with the share of answers that each tier gave, and p50/p99.

In a narrow terminal what says least is left out first: tiers that are well and idle, then the names of tiers that do
what they should, then latencies, then all names of tiers, which the table of circuits has, too. Shares and broken tiers
stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.text import Text

from ha_rag.dashboards.text.viewport import Viewport, in_ms, is_troubled, safe, state_of
from ha_rag.dashboards.text.wrapping import wrapped
from ha_rag.monitor.snapshot import FleetSnapshot
from ha_rag.monitor.stages import FleetStage, stages

Shares = Mapping[str, Mapping[str, float]]
"""Stage -> tier -> its share of the stage's answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a map shows: idle tiers that are well, names of tiers, latencies of those that answer, names of stages.

    `names`: "all"; "others": those that answer beside or instead of the first tier; "none".
    """

    idle: bool
    names: Literal["all", "others", "none"]
    latencies: bool = False
    stages: bool = True


FORMS = (
    Form(idle=True, names="all", latencies=True),
    Form(idle=False, names="all", latencies=True),
    Form(idle=False, names="others", latencies=True),
    Form(idle=True, names="all"),
    Form(idle=False, names="all"),
    Form(idle=False, names="others"),
    Form(idle=False, names="none"),
    Form(idle=False, names="none", stages=False),
)

IN_LINES = Form(idle=False, names="all")
"""Where no form fits in one line, each stage has its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One tier. `share`: of the stage's answers; None without answers. `notable`: shown also where room is scarce.

    `latency`: p50 and p99 of its successful attempts; "" if they are unknown.
    """

    name: str
    state: str
    share: float | None
    notable: bool
    latency: str
    is_first: bool = False


def tier_map(picture: FleetSnapshot, view: Viewport) -> list[Text]:
    """The map in one line; no line without stages."""
    shares = tier_shares(picture)
    latencies = _latencies(picture)
    found = [(stage.name, _nodes(stage, shares.get(stage.name, {}), latencies)) for stage in stages(picture)]
    for form in FORMS if found else ():
        if form.latencies and not latencies:
            continue
        line = _joined(" -> " if view.plain else " → ", (_stage(name, nodes, form, view) for name, nodes in found))
        if line.cell_len <= view.width:
            return [line]
    return [line for name, nodes in found for line in wrapped(_stage(name, nodes, IN_LINES, view), view.width, 2)]


def tier_shares(picture: FleetSnapshot) -> Shares:
    """The shares of recent answers; no entry for a stage without any."""
    if picture.stages:  # replicas of 0.1.0 send none
        return {
            stage.name: {tier.name: tier.share for tier in stage.tiers}
            for stage in picture.stages
            if any(tier.answers for tier in stage.tiers)
        }
    served = {stage.name: (stage.served, sum(stage.served.values())) for stage in stages(picture)}
    return {
        name: {tier: count / total for tier, count in counts.items()}
        for name, (counts, total) in served.items()
        if total
    }


def _latencies(picture: FleetSnapshot) -> dict[str, str]:
    """Circuit -> p50 and p99, such as "14/31 ms"."""
    found = ((tier.circuit, tier.p50_ms, tier.p99_ms) for stage in picture.stages for tier in stage.tiers)
    return {circuit: _pair(p50, p99) for circuit, p50, p99 in found if p50 is not None and p99 is not None}


def _pair(p50_ms: float, p99_ms: float) -> str:
    if p99_ms >= 1000:
        return f"{p50_ms / 1000:.2g}/{p99_ms / 1000:.2g} s"
    return f"{in_ms(p50_ms).removesuffix(' ms')}/{in_ms(p99_ms)}"


def _nodes(stage: FleetStage, shares: Mapping[str, float], latencies: Mapping[str, str]) -> list[Node]:
    nodes = [
        Node(
            name=tier,
            state=state_of(circuit),
            share=shares.get(tier, 0.0) if shares else None,
            notable=bool(shares.get(tier)) or is_troubled(circuit),
            latency=latencies.get(circuit.name, ""),
            is_first=tier == next(iter(stage.tiers)),
        )
        for tier, circuit in stage.tiers.items()
    ]
    # The last resort has no circuit: it answers when no tier does.
    nodes += [
        Node(name=tier, state="open", share=share, notable=True, latency="")
        for tier, share in shares.items()
        if tier not in stage.tiers and share
    ]
    return nodes


def _stage(name: str, nodes: Sequence[Node], form: Form, view: Viewport) -> Text:
    shown = [node for node in nodes if form.idle or node.notable]
    if not any(node.state != "open" or node.share for node in shown):
        shown += [node for node in nodes if node not in shown and node.state != "open"][:1]
    between = " > " if form.names == "all" else " "
    tiers = _joined(between, (_drawn(node, form, view) for node in shown or nodes[:1]))
    return Text.assemble((f"{name} " if form.stages else "", "bold"), tiers)


def _joined(between: str, parts: Iterable[Text]) -> Text:
    """The parts in a line; `Text.join` would give all of them the style of what is between."""
    line = Text()
    for number, part in enumerate(parts):
        line.append(between if number else "", "dim").append_text(part)
    return line


def _drawn(node: Node, form: Form, view: Viewport) -> Text:
    return Text(("" if form.names == "none" else " ").join(_words(node, form, view)), view.style(node.state))


def _words(node: Node, form: Form, view: Viewport) -> Iterator[str]:
    yield view.symbol(node.state)
    answers = bool(node.share) or (node.share is None and node.state != "open")
    if form.names == "all" or (form.names == "others" and answers and not node.is_first):
        yield safe(node.name)
    if node.share or (node.share is not None and form.names == "all"):
        yield f"{node.share:.0%}"
    if node.share and node.latency and form.latencies:
        yield node.latency
