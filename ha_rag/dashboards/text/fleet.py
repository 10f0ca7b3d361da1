"""Lines about the fleet as a whole: its answers, Redis, replicas and events."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from ha_rag.dashboards.text.viewport import Viewport, clock, in_ms, safe
from ha_rag.dashboards.text.wrapping import padded, shortened, wrapped
from ha_rag.monitor import words
from ha_rag.monitor.snapshot import RedisPicture, ReplicaPicture, TimelineEvent, Traffic

LATE_S = 2.5
"""A heartbeat older than this is late."""
HEADINGS = ("replica", "shared state", "q/s", "p50 / p99", "degraded", "load", "heartbeat", "version")
DROPPED = ("version", "load", "shared state", "p50 / p99")
"""Columns that a narrow terminal goes without, in this order."""
NARROWEST_NAME = 16


def traffic_lines(traffic: Traffic, view: Viewport) -> list[Text]:
    """Answers a second, the share that is degraded, and latencies."""
    if not traffic.history and not traffic.per_s:
        return [Text("answers: none yet", "dim")]
    line = Text(f"answers: {traffic.per_s:.1f}/s, {traffic.degraded_share:.0%} degraded")
    if traffic.p50_ms is not None and traffic.p99_ms is not None:
        line.append(f", p50 {traffic.p50_ms:.1f} ms, p99 {traffic.p99_ms:.1f} ms")
    return wrapped(line, view.width, 2)


def redis_lines(redis: RedisPicture, view: Viewport) -> list[Text]:
    """Whether Redis is well."""
    if not redis.configured:
        return wrapped(Text("Redis: not configured, each process runs alone", view.style("local")), view.width, 2)
    if not redis.reachable:
        problem = Text(f"{view.symbol('open')} Redis: unreachable ({safe(redis.problem)})", view.style("open"))
        return shortened(problem, view.width, 2, ellipsis=view.ellipsis)
    line = Text(f"Redis: {view.symbol('closed')} reachable", view.style("closed"))
    memory = "" if redis.used_bytes is None else f", {redis.used_bytes / 2**20:.1f} MiB"
    line.append(f", {redis.round_trip_ms} ms{memory}, {safe(redis.version)} {safe(redis.role)}", "dim")
    return shortened(line, view.width, ellipsis=view.ellipsis)


def replica_lines(replicas: Sequence[ReplicaPicture], view: Viewport, room: int) -> list[Text]:
    """The replicas in at most `room` lines; if that is too few, those that are not well first, and how many others."""
    shown = set(range(len(replicas)))
    if len(replicas) + 1 > room:
        by_need = sorted(shown, key=lambda n: (not _is_troubled(replicas[n]), n))
        shown = set(by_need[: max(0, room - 2)])
    if not shown:
        return []
    rows = [_replica(replica, view) for n, replica in enumerate(replicas) if n in shown]
    lines = _table([{title: Text(title, "dim") for title in HEADINGS}, *rows], view)
    if len(lines) > room:
        return []
    hidden = [replica for n, replica in enumerate(replicas) if n not in shown]
    if hidden:
        late = sum(map(_is_troubled, hidden))
        words = f", {late} of them not well" if late else ""
        lines.append(Text(f"and {len(hidden)} more replica{'s' if len(hidden) > 1 else ''}{words}", "dim"))
    return lines


def event_lines(events: Sequence[TimelineEvent], view: Viewport, room: int) -> list[Text]:
    """The latest events, newest first, in at most `room` lines; an event takes two lines at most."""
    if not events:
        return [Text("no events yet", "dim")][:room]
    lines: list[Text] = []
    for event in events[:room]:
        more = _event(event, view)
        if len(lines) + len(more) > room:
            break
        lines += more
    return lines


# ---- replicas -------------------------------------------------------------------------------------------------------


def _is_troubled(replica: ReplicaPicture) -> bool:
    return replica.behind_s > LATE_S or replica.shared_state != "fresh"


def _replica(replica: ReplicaPicture, view: Viewport) -> dict[str, Text]:
    late = replica.behind_s > LATE_S
    return {
        "replica": Text(safe(replica.name)),
        "shared state": Text(safe(replica.shared_state), view.style(replica.shared_state)),
        "q/s": Text(f"{replica.per_s:.1f}"),
        "p50 / p99": Text(f"{in_ms(replica.p50_ms)} / {in_ms(replica.p99_ms)}"),
        "degraded": Text(f"{replica.degraded_share:.0%}"),
        "load": Text(f"{replica.load:.0%}"),
        "heartbeat": Text(f"last {replica.behind_s:.0f} s ago", view.style("open")) if late else Text("ok"),
        "version": Text(safe(replica.version), "dim"),
    }


def _table(rows: Sequence[dict[str, Text]], view: Viewport) -> list[Text]:
    widths = {title: max(row[title].cell_len for row in rows) for title in HEADINGS}
    for title in DROPPED:
        if sum(widths.values()) + 2 * len(widths) - 2 <= view.width:
            break
        if title != "shared state" or all(row[title].plain in ("fresh", title) for row in rows):
            del widths[title]
    others = sum(2 + width for title, width in widths.items() if title != "replica")
    widths["replica"] = min(widths["replica"], max(NARROWEST_NAME, view.width - others))
    return [line for row in rows for line in _row(row, widths, view)]


def _row(row: dict[str, Text], widths: dict[str, int], view: Viewport) -> list[Text]:
    """One row; a name that does not fit its column has lines of its own."""
    name, values = row["replica"], [padded(row[title], width) for title, width in widths.items() if title != "replica"]
    own = wrapped(name, view.width) if name.cell_len > widths["replica"] else []
    first = Text(" " * widths["replica"]) if own else padded(name, widths["replica"])
    line = Text("  ").join([first, *values])
    line.rstrip()
    return [*own, *([line] if line.cell_len <= view.width else wrapped(line, view.width, 2))]


# ---- events ---------------------------------------------------------------------------------------------------------


def _event(event: TimelineEvent, view: Viewport) -> list[Text]:
    what = safe(event.text or words.text(event))  # replicas of 0.1.0 send no text
    reason, by = words.details(event)
    line = Text.assemble((f"{clock(event.at)}  ", "dim"), (what, _event_style(event, view)))
    added = "; ".join(part for part in (safe(reason), by and f"by {safe(by)}") if part)
    line.append(f"  {added}" if added else "", "dim")
    return shortened(line, view.width, 2, indent=len("00:00:00  "), ellipsis=view.ellipsis)


def _event_style(event: TimelineEvent, view: Viewport) -> str:
    if event.kind in ("circuit", "restored"):
        return view.style(event.after)
    return view.style(_STYLES_OF_KINDS.get(event.kind, "half_open"))


_STYLES_OF_KINDS = {
    "redis_lost": "open", "redis_back": "closed",
    "replica_lost": "open", "replica_joined": "closed", "replica_left": "",
}  # fmt: skip
