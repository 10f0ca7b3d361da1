"""The terminal view: a pure function from a FleetSnapshot and a viewport to a rich renderable.

States have a symbol and a word besides their colour. Names, reasons and errors are untrusted: they are shown without
control characters and markup. In a small viewport the least urgent parts are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ha_rag.dashboards.plain_text import sanitized
from ha_rag.monitor.snapshot import (
    CircuitPicture,
    FleetSnapshot,
    Rate,
    RedisPicture,
    ReplicaPicture,
    TimelineEvent,
    Traffic,
)

STYLES = {
    "closed": "green", "open": "bold red", "half_open": "yellow", "waiting": "dim",
    "fresh": "green", "stale": "yellow", "local": "yellow",
}  # fmt: skip
SYMBOLS = {"closed": "●", "open": "■", "half_open": "◐", "waiting": "○"}
PLAIN_SYMBOLS = {"closed": "*", "open": "#", "half_open": "~", "waiting": "o"}
BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "_.-=+*#@"
SPARK_POINTS = 24
SHORT_REASON = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewport:
    """Size in columns and lines. `plain`: ASCII symbols only. `faded`: without colours, for a stale snapshot."""

    width: int = 100
    height: int = 40
    plain: bool = False
    faded: bool = False


def draw(picture: FleetSnapshot, view: Viewport, *, ago_s: float = 0.0, down_since: str = "") -> RenderableType:
    """Draws `picture`. `ago_s`: its age, subtracted from countdowns. `down_since`: when the connection was lost."""
    view = replace(view, faded=bool(down_since))
    parts: list[RenderableType] = [_header(picture, view, down_since), _circuits(picture.circuits, view, ago_s)]
    parts += [Text(), _traffic(picture.traffic), _redis(picture.redis, view)]
    parts += [Text(f"! {sanitized(warning)}", "yellow") for warning in picture.warnings]
    left = view.height - len(parts) - len(picture.circuits) - 2
    if picture.replicas and left > 4:
        shown = picture.replicas[: max(3, left - 8)]
        parts += [Text(), _replicas(shown, view)]
        left -= len(shown) + 2
        if len(shown) < len(picture.replicas):
            parts.append(Text(f"and {len(picture.replicas) - len(shown)} more replicas", "dim"))
            left -= 1
    if left > 2:
        parts += [Text(), *_timeline(picture.timeline[: left - 1], view)]
    return Group(*parts)


# ---- the parts ------------------------------------------------------------------------------------------------------


def _header(picture: FleetSnapshot, view: Viewport, down_since: str) -> Text:
    if down_since:
        return Text.assemble((f"disconnected since {down_since}", "bold red"), "; showing the last known state")
    not_closed = [circuit for circuit in picture.circuits if _state(circuit) in ("open", "half_open")]
    worst = (
        "open" if any(circuit.state == "open" for circuit in not_closed) else "half_open" if not_closed else "closed"
    )
    summary = ", ".join(f"{sanitized(c.name)} {_state_text(c)}" for c in not_closed) or "all circuits closed"
    source = f"  {_clock(picture.at)}, from {sanitized(picture.told_by)}, shared state {picture.shared_state}"
    if picture.reason:
        source += f" ({sanitized(picture.reason)})"
    line = Text.assemble((f"{_symbol(worst, view)} {summary}", _style(worst, view)), (source, "dim"))
    line.truncate(max(20, 2 * view.width), overflow="ellipsis")
    return line


def _circuits(circuits: Sequence[CircuitPicture], view: Viewport, ago_s: float) -> Table:
    table = _table("circuit", "state")
    wide = view.width >= 110
    titles = "failed  slow  calls  recovers  why  " if wide else "failed  calls  recovers  why  "
    points = _spark_points(circuits, view.width, titles)
    medium = points >= len("failures")
    for shown, title in [(medium, "failures"), (True, "failed"), (wide, "slow"), (medium, "calls"), (True, "recovers")]:
        if shown:
            table.add_column(title, no_wrap=True, justify="left" if title == "failures" else "right")
    if medium:
        # The only column that shrinks: names and states are never truncated.
        table.add_column("why", overflow="fold" if wide else "ellipsis", no_wrap=False)
    for circuit in circuits:
        state = _state(circuit)
        cells = [
            Text(sanitized(circuit.name), overflow="ellipsis"),
            Text(f"{_symbol(state, view)} {_state_text(circuit)}{_override_tag(circuit)}", _style(state, view)),
            *([_spark(circuit.history[-points:], view)] if medium else []),
            Text(f"{circuit.failure_rate:.0%}"),
            *([Text(f"{circuit.slow_rate:.0%}")] if wide else []),
            *([Text(str(circuit.samples))] if medium else []),
            Text("" if circuit.recovers_in_s is None else f"{max(0.0, circuit.recovers_in_s - ago_s):.1f} s"),
            *([Text(_why(circuit), "dim", no_wrap=not wide, overflow="ellipsis")] if medium else []),
        ]
        table.add_row(*cells)
    return table


def _why(circuit: CircuitPicture) -> str:
    reasons = []
    if circuit.override is not None:
        reasons.append(f"{circuit.override.reason} ({circuit.override.by})")
    elif circuit.state != "closed":
        reasons.append(circuit.reason)
    if circuit.voters:
        reasons.append("seen by " + ", ".join(circuit.voters))
    reasons += [f"{differing.replica}: {differing.state.replace('_', '-')} there" for differing in circuit.differing]
    return sanitized("; ".join(filter(None, reasons)))


def _spark_points(circuits: Sequence[CircuitPicture], width: int, titles: str) -> int:
    """How many points fit beside names, states and a short reason; less than the length of the title: no column."""
    names = max((len(sanitized(circuit.name)) for circuit in circuits), default=0)
    states = max((len(_state_text(circuit) + _override_tag(circuit)) for circuit in circuits), default=0)
    left = width - names - states - len(titles) - len("  *   ") - 2
    return max(min(left, len("failures")), min(SPARK_POINTS, left - SHORT_REASON))


def _spark(history: Sequence[Rate], view: Viewport) -> Text:
    blocks = PLAIN_BLOCKS if view.plain else BLOCKS
    line = Text()
    for rate in history:
        level = min(len(blocks) - 1, round(rate.failure_rate * (len(blocks) - 1)))
        line.append(blocks[level], "dim" if rate.state == "closed" and not level else _style(rate.state, view))
    return line


def _traffic(traffic: Traffic) -> Text:
    if not traffic.history and not traffic.per_s:
        return Text("answers: none yet", "dim")
    line = Text(f"answers: {traffic.per_s:.1f}/s, {traffic.degraded_share:.0%} degraded")
    if traffic.p50_ms is not None and traffic.p99_ms is not None:
        line.append(f", p50 {traffic.p50_ms:.1f} ms, p99 {traffic.p99_ms:.1f} ms")
    served: dict[str, dict[str, int]] = {}
    for point in traffic.history[-10:]:
        for stage, tiers in point.served.items():
            counts = served.setdefault(stage, {})
            for tier, count in tiers.items():
                counts[tier] = counts.get(tier, 0) + count
    for stage, tiers in served.items():
        total = max(1, sum(tiers.values()))
        shares = ", ".join(f"{sanitized(tier)} {count / total:.0%}" for tier, count in tiers.items())
        line.append(f"; {sanitized(stage)}: {shares}", "dim")
    return line


def _redis(redis: RedisPicture, view: Viewport) -> Text:
    if not redis.configured:
        return Text("Redis: not configured, each process runs alone", _style("local", view))
    if not redis.reachable:
        return Text(f"{_symbol('open', view)} Redis: unreachable ({sanitized(redis.problem)})", _style("open", view))
    line = Text(f"Redis: {_symbol('closed', view)} reachable", _style("closed", view))
    memory = "" if redis.used_bytes is None else f", {redis.used_bytes / 2**20:.1f} MiB"
    line.append(f", {redis.round_trip_ms} ms{memory}, {sanitized(redis.version)} {sanitized(redis.role)}", "dim")
    return line


def _replicas(replicas: Iterable[ReplicaPicture], view: Viewport) -> Table:
    table = _table("replica", "shared state", "q/s", "p50 / p99", "degraded", "load", "heartbeat")
    if view.width >= 100:
        table.add_column("version", no_wrap=True)
    for replica in replicas:
        late = replica.behind_s > 2.5
        cells = [
            Text(sanitized(replica.name)),
            Text(replica.shared_state, _style(replica.shared_state, view)),
            Text(f"{replica.per_s:.1f}"),
            Text(f"{_ms(replica.p50_ms)} / {_ms(replica.p99_ms)}"),
            Text(f"{replica.degraded_share:.0%}"),
            Text(f"{replica.load:.0%}"),
            Text(f"last {replica.behind_s:.0f} s ago", _style("open", view)) if late else Text("ok"),
            *([Text(sanitized(replica.version), "dim")] if view.width >= 100 else []),
        ]
        table.add_row(*cells)
    return table


def _timeline(events: Sequence[TimelineEvent], view: Viewport) -> list[RenderableType]:
    return [_event(event, view) for event in events] or [Text("no events yet", "dim")]


def _event(event: TimelineEvent, view: Viewport) -> Text:
    text, style = _description(event, view)
    line = Text.assemble((f"{_clock(event.at)}  ", "dim"), (text, style), (f"  {sanitized(event.reason)}", "dim"))
    if event.by and not event.kind.startswith("replica"):
        line.append(f"; by {sanitized(event.by)}", "dim")
    line.truncate(view.width, overflow="ellipsis")
    return line


def _description(event: TimelineEvent, view: Viewport) -> tuple[str, str]:
    name, after = sanitized(event.circuit), event.after
    match event.kind:
        case "circuit":
            return f"{name}: {event.before} -> {after}".replace("_", "-"), _style(after, view)
        case "override":
            return f"{name}: override, now {after}".replace("_", "-"), _style("half_open", view)
        case "would_open":
            return f"{name}: would have opened (shadow)", _style("half_open", view)
        case "redis_lost":
            return "Redis is unreachable", _style("open", view)
        case "redis_back":
            return "Redis is reachable again", _style("closed", view)
        case kind if kind.startswith("replica_"):
            return f"replica {sanitized(event.by)} {_MEMBERSHIP_TEXTS.get(kind, kind)}", _style(
                _MEMBERSHIP_STATES.get(kind, ""), view
            )
        case kind:
            return f"{name} {kind}".strip().replace("_", " "), _style("half_open", view)


_MEMBERSHIP_TEXTS = {"replica_lost": "is lost", "replica_left": "has stopped", "replica_joined": "has joined"}
_MEMBERSHIP_STATES = {"replica_lost": "open", "replica_joined": "closed"}


# ---- texts ----------------------------------------------------------------------------------------------------------


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    return table


def _state(circuit: CircuitPicture) -> str:
    return "waiting" if circuit.state == "half_open" and circuit.waiting else circuit.state


def _state_text(circuit: CircuitPicture) -> str:
    state = _state(circuit)
    return "waiting for traffic" if state == "waiting" else state.replace("_", "-")


def _override_tag(circuit: CircuitPicture) -> str:
    return f" (override: {circuit.override.mode})" if circuit.override is not None else ""


def _symbol(state: str, view: Viewport) -> str:
    return (PLAIN_SYMBOLS if view.plain else SYMBOLS)[state]


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")


def _style(state: str, view: Viewport) -> str:
    """The colour of a state; none in a faded view, so that an old state does not look live."""
    return "dim" if view.faded else STYLES.get(state, "")
