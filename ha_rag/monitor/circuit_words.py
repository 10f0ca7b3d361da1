"""What is wrong with one circuit, in words: since when, why, who saw it, the next probe, and what answers instead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from ha_rag.monitor.snapshot import CircuitPicture, Override

DOT = " · "

BY_HAND = {"open": "open by hand", "closed": "closed by hand", "disabled": "disabled by hand", "shadow": "in shadow"}
"""Mode of an override -> how a circuit under it is called."""


def sentence(circuit: CircuitPicture, at: float, instead: str = "") -> str:
    """The line about a circuit that is not as it should be. `at`: now, in Unix s; `instead`: what answers meanwhile."""
    parts = [f"{circuit.name} {_what(circuit, at)}", *_next(circuit)]
    if instead and circuit.state != "closed":
        parts.append(instead)
    if circuit.unconfirmed:
        parts.append(f"not confirmed yet by {circuit.unconfirmed} replica{'s' if circuit.unconfirmed > 1 else ''}")
    return DOT.join(parts)


def order(override: Override, at: float) -> str:
    """Why, by whom and until when: `maintenance, by admin, until 14:20 UTC`."""
    ends = None if override.ends_in_s is None else at + override.ends_in_s
    return ordered(override.reason, override.by, ends, at)


def ordered(reason: str, by: str, ends_at: float | None, at: float) -> str:
    """As `order`, of an override that ends at `ends_at`, in Unix s."""
    until = "" if ends_at is None else f"until {time_of_day(ends_at, at)}"
    return ", ".join(part for part in (reason, f"by {by}" if by else "", until) if part)


def time_of_day(moment: float, at: float) -> str:
    """`14:20 UTC`, with the date if it is another day than `at`; rounded to the minute."""
    then, now = datetime.fromtimestamp(round(moment / 60) * 60, UTC), datetime.fromtimestamp(at, UTC)
    return then.strftime("%H:%M UTC" if then.date() == now.date() else "%Y-%m-%d %H:%M UTC")


def duration(seconds: float) -> str:
    """`42 s`, `3 min`, `2 h 5 min`, `3 days`."""
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{round(hours / 24)} days"


def _what(circuit: CircuitPicture, at: float) -> str:
    if circuit.override is not None:
        return f"{BY_HAND[circuit.override.mode]}: {order(circuit.override, at)}"
    if circuit.state == "closed":
        there = ", ".join(f"{each.replica} ({each.state.replace('_', '-')})" for each in circuit.differing)
        return f"closed, but not in {there}"
    opened = circuit.opened
    since = opened.at if opened is not None else circuit.changed_at
    lasts = "" if since is None else f" for {duration(at - since)}"
    causes = list(_causes(circuit))
    return f"{circuit.state.replace('_', '-')}{lasts}" + (f": {', '.join(causes)}" if causes else "")


def _causes(circuit: CircuitPicture) -> Iterator[str]:
    opened = circuit.opened
    reason = opened.reason if opened is not None else circuit.reason
    if reason:
        yield reason.removesuffix(", 0 slow")
    by = opened.by if opened is not None else circuit.opened_by
    if by:
        yield f"first seen by {by}"
    if circuit.scope == "replica" and circuit.differing:
        yield "in " + ", ".join(each.replica for each in circuit.differing)


def _next(circuit: CircuitPicture) -> Iterator[str]:
    if circuit.override is not None or circuit.state == "closed":
        return
    if circuit.state == "half_open":
        yield "the next call is its probe" if circuit.waiting else "being probed"
    elif circuit.recovers_in_s is not None:
        yield f"next probe in {duration(circuit.recovers_in_s)}"
