"""The terminal's skin of a FleetSnapshot: a pure function from a picture, and the room there is, to what rich draws.

States are told by a sign and a word, never by colour alone. What comes from others (names, reasons, errors) is shown
without control characters and without markup. Where there is little room, the least urgent goes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ha_rag.dashboards.plain_text import harmless
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
SIGNS = {"closed": "●", "open": "■", "half_open": "◐", "waiting": "○"}
PLAIN_SIGNS = {"closed": "*", "open": "#", "half_open": "~", "waiting": "o"}
BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "_.-=+*#@"
SPARK_POINTS = 24
SHORT_REASON = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much there is to draw on, in columns and lines; `plain`: without Unicode's signs.

    `faded`: without colours, as a picture that is no longer live is shown.
    """

    width: int = 100
    height: int = 40
    plain: bool = False
    faded: bool = False


def draw(picture: FleetSnapshot, room: Room, *, ago_s: float = 0.0, down_since: str = "") -> RenderableType:
    """The picture. `ago_s`: how old it is, by which rests have run on. `down_since`: when it ceased to be live."""
    room = replace(room, faded=bool(down_since))
    parts: list[RenderableType] = [_head(picture, room, down_since), _circuits(picture.circuits, room, ago_s)]
    parts += [Text(), _traffic(picture.traffic), _redis(picture.redis, room)]
    parts += [Text(f"! {harmless(warning)}", "yellow") for warning in picture.warnings]
    left = room.height - len(parts) - len(picture.circuits) - 2
    if picture.replicas and left > 4:
        shown = picture.replicas[: max(3, left - 8)]
        parts += [Text(), _replicas(shown, room)]
        left -= len(shown) + 2
        if len(shown) < len(picture.replicas):
            parts.append(Text(f"and {len(picture.replicas) - len(shown)} more replicas", "dim"))
            left -= 1
    if left > 2:
        parts += [Text(), *_timeline(picture.timeline[: left - 1], room)]
    return Group(*parts)


# ---- the parts ------------------------------------------------------------------------------------------------------


def _head(picture: FleetSnapshot, room: Room, down_since: str) -> Text:
    if down_since:
        return Text.assemble((f"disconnected since {down_since}", "bold red"), "; what you see is how it was then")
    troubled = [circuit for circuit in picture.circuits if _state(circuit) in ("open", "half_open")]
    worst = "open" if any(circuit.state == "open" for circuit in troubled) else "half_open" if troubled else "closed"
    words = ", ".join(f"{harmless(c.name)} {_word(c)}" for c in troubled) or "all circuits closed"
    told = f"  {_clock(picture.at)}, told by {harmless(picture.told_by)}, shared state {picture.shared_state}"
    if picture.reason:
        told += f" ({harmless(picture.reason)})"
    line = Text.assemble((f"{_sign(worst, room)} {words}", _style(worst, room)), (told, "dim"))
    line.truncate(max(20, 2 * room.width), overflow="ellipsis")
    return line


def _circuits(circuits: Sequence[CircuitPicture], room: Room, ago_s: float) -> Table:
    table = _table("circuit", "state")
    wide = room.width >= 110
    titles = "failed  slow  calls  recovers  why  " if wide else "failed  calls  recovers  why  "
    points = _spark_points(circuits, room.width, titles)
    medium = points >= len("failures")
    for shown, title in [(medium, "failures"), (True, "failed"), (wide, "slow"), (medium, "calls"), (True, "recovers")]:
        if shown:
            table.add_column(title, no_wrap=True, justify="left" if title == "failures" else "right")
    if medium:
        # The only column that gives way: whatever is said there, names and states stay whole.
        table.add_column("why", overflow="fold" if wide else "ellipsis", no_wrap=False)
    for circuit in circuits:
        state = _state(circuit)
        cells = [
            Text(harmless(circuit.name), overflow="ellipsis"),
            Text(f"{_sign(state, room)} {_word(circuit)}{_by_hand(circuit)}", _style(state, room)),
            *([_spark(circuit.history[-points:], room)] if medium else []),
            Text(f"{circuit.failure_rate:.0%}"),
            *([Text(f"{circuit.slow_rate:.0%}")] if wide else []),
            *([Text(str(circuit.samples))] if medium else []),
            Text("" if circuit.recovers_in_s is None else f"{max(0.0, circuit.recovers_in_s - ago_s):.1f} s"),
            *([Text(_why(circuit), "dim", no_wrap=not wide, overflow="ellipsis")] if medium else []),
        ]
        table.add_row(*cells)
    return table


def _why(circuit: CircuitPicture) -> str:
    said = []
    if circuit.override is not None:
        said.append(f"{circuit.override.reason} ({circuit.override.by})")
    elif circuit.state != "closed":
        said.append(circuit.reason)
    if circuit.voters:
        said.append("seen by " + ", ".join(circuit.voters))
    said += [f"{differing.replica}: {differing.state.replace('_', '-')} there" for differing in circuit.differing]
    return harmless("; ".join(filter(None, said)))


def _spark_points(circuits: Sequence[CircuitPicture], width: int, titles: str) -> int:
    """How many fit beside whole names, whole states and a short reason; fewer than its title has letters: no room."""
    names = max((len(harmless(circuit.name)) for circuit in circuits), default=0)
    states = max((len(_word(circuit) + _by_hand(circuit)) for circuit in circuits), default=0)
    left = width - names - states - len(titles) - len("  *   ") - 2
    return max(min(left, len("failures")), min(SPARK_POINTS, left - SHORT_REASON))


def _spark(history: Sequence[Rate], room: Room) -> Text:
    blocks = PLAIN_BLOCKS if room.plain else BLOCKS
    line = Text()
    for rate in history:
        level = min(len(blocks) - 1, round(rate.failure_rate * (len(blocks) - 1)))
        line.append(blocks[level], "dim" if rate.state == "closed" and not level else _style(rate.state, room))
    return line


def _traffic(traffic: Traffic) -> Text:
    if not traffic.history and not traffic.per_s:
        return Text("answers: none heard of yet", "dim")
    line = Text(f"answers: {traffic.per_s:.1f}/s, {traffic.degraded_share:.0%} degraded")
    if traffic.p50_ms is not None and traffic.p99_ms is not None:
        line.append(f", p50 {traffic.p50_ms:.1f} ms, p99 {traffic.p99_ms:.1f} ms")
    served: dict[str, dict[str, int]] = {}
    for point in traffic.history[-10:]:
        for stage, tiers in point.served.items():
            tally = served.setdefault(stage, {})
            for tier, count in tiers.items():
                tally[tier] = tally.get(tier, 0) + count
    for stage, tiers in served.items():
        whole = max(1, sum(tiers.values()))
        shares = ", ".join(f"{harmless(tier)} {count / whole:.0%}" for tier, count in tiers.items())
        line.append(f"; {harmless(stage)}: {shares}", "dim")
    return line


def _redis(redis: RedisPicture, room: Room) -> Text:
    if not redis.configured:
        return Text("Redis: none configured, each process is alone", _style("local", room))
    if not redis.reachable:
        return Text(f"{_sign('open', room)} Redis: not reachable ({harmless(redis.problem)})", _style("open", room))
    line = Text(f"Redis: {_sign('closed', room)} reachable", _style("closed", room))
    memory = "" if redis.used_bytes is None else f", {redis.used_bytes / 2**20:.1f} MiB"
    line.append(f", {redis.round_trip_ms} ms{memory}, {harmless(redis.version)} {harmless(redis.role)}", "dim")
    return line


def _replicas(replicas: Iterable[ReplicaPicture], room: Room) -> Table:
    table = _table("replica", "shared state", "q/s", "p50 / p99", "degraded", "load", "heartbeat")
    if room.width >= 100:
        table.add_column("version", no_wrap=True)
    for replica in replicas:
        late = replica.behind_s > 2.5
        cells = [
            Text(harmless(replica.name)),
            Text(replica.shared_state, _style(replica.shared_state, room)),
            Text(f"{replica.per_s:.1f}"),
            Text(f"{_ms(replica.p50_ms)} / {_ms(replica.p99_ms)}"),
            Text(f"{replica.degraded_share:.0%}"),
            Text(f"{replica.load:.0%}"),
            Text(f"silent for {replica.behind_s:.0f} s", _style("open", room)) if late else Text("in time"),
            *([Text(harmless(replica.version), "dim")] if room.width >= 100 else []),
        ]
        table.add_row(*cells)
    return table


def _timeline(events: Sequence[TimelineEvent], room: Room) -> list[RenderableType]:
    return [_event(event, room) for event in events] or [Text("nothing has happened yet", "dim")]


def _event(event: TimelineEvent, room: Room) -> Text:
    what, style = _happened(event, room)
    line = Text.assemble((f"{_clock(event.at)}  ", "dim"), (what, style), (f"  {harmless(event.reason)}", "dim"))
    if event.by and not event.kind.startswith("replica"):
        line.append(f"; by {harmless(event.by)}", "dim")
    line.truncate(room.width, overflow="ellipsis")
    return line


def _happened(event: TimelineEvent, room: Room) -> tuple[str, str]:
    name, after = harmless(event.circuit), event.after
    match event.kind:
        case "circuit":
            return f"{name}: {event.before} -> {after}".replace("_", "-"), _style(after, room)
        case "override":
            return f"{name}: by hand, now {after}".replace("_", "-"), _style("half_open", room)
        case "would_open":
            return f"{name}: would have opened (shadow)", _style("half_open", room)
        case "redis_lost":
            return "Redis is not heard", _style("open", room)
        case "redis_back":
            return "Redis is heard again", _style("closed", room)
        case kind if kind.startswith("replica_"):
            return f"replica {harmless(event.by)} {_COMINGS.get(kind, kind)}", _style(
                _COMING_STATES.get(kind, ""), room
            )
        case kind:
            return f"{name} {kind}".strip().replace("_", " "), _style("half_open", room)


_COMINGS = {"replica_lost": "is lost", "replica_left": "has stopped", "replica_joined": "has joined"}
_COMING_STATES = {"replica_lost": "open", "replica_joined": "closed"}


# ---- words ----------------------------------------------------------------------------------------------------------


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    return table


def _state(circuit: CircuitPicture) -> str:
    return "waiting" if circuit.state == "half_open" and circuit.waiting else circuit.state


def _word(circuit: CircuitPicture) -> str:
    state = _state(circuit)
    return "waiting for traffic" if state == "waiting" else state.replace("_", "-")


def _by_hand(circuit: CircuitPicture) -> str:
    return f" ({circuit.override.mode} by hand)" if circuit.override is not None else ""


def _sign(state: str, room: Room) -> str:
    return (PLAIN_SIGNS if room.plain else SIGNS)[state]


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")


def _style(what: str, room: Room) -> str:
    """How a state is coloured; not at all once the picture is no longer live, since nobody may believe an old green."""
    return "dim" if room.faded else STYLES.get(what, "")
