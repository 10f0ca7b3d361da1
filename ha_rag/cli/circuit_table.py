"""Circuits as text: a table that fits the terminal, and one circuit in full."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from ha_rag.cli.screen import STATE_STYLES, shown_width, styled, table

NARROW, NARROWER = 100, 80
"""Below this many columns, less important ones are left out, so that names stay whole."""


def circuit_table(reports: list[dict[str, Any]], width: int | None = None) -> Any:
    """The circuits as a table. `width`: in columns (default: the terminal's)."""
    room = shown_width() if width is None else width
    columns = [column for column in _COLUMNS if room >= column[2]]
    made = table(*(name for name, _, _ in columns))
    for column in made.columns:
        column.no_wrap = column.header not in ("state", "why")
    for report in reports:
        made.add_row(*(cell(report) for _, cell, _ in columns))
    return made


def _recovers_in(report: dict[str, Any]) -> str:
    return "" if report["recovers_in_s"] is None else f"{report['recovers_in_s']:.1f} s"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


_COLUMNS: list[tuple[str, Callable[[dict[str, Any]], Any], int]] = [
    ("circuit", lambda report: styled(report["name"]), 0),
    ("state", lambda report: styled(state_words(report), STATE_STYLES.get(report["state"], "")), 0),
    ("failures", lambda report: _share(report["failure_rate"]), NARROWER),
    ("calls", lambda report: str(report["samples"]), NARROW),
    ("recovers in", _recovers_in, 0),
    ("scope", lambda report: styled(report["scope"]), NARROW),
    ("why", lambda report: styled(why(report), "dim"), 0),
]


def state_words(report: dict[str, Any]) -> str:
    """The state, with an override, or a differing state in the replica that was asked."""
    words = str(report["state"]).replace("_", "-")
    if report["override"]:
        words += f" ({report['override']['mode']} by hand)"
    here = report["here"]
    if here and here["why"] == "local":
        words += ", decided here without Redis"
    if here and here["state"] != report["state"]:
        words += f", here {here['state'].replace('_', '-')}"
    return words


def elsewhere(report: dict[str, Any]) -> str:
    """The replicas whose state differs. Replicas of 0.1.0 do not tell them."""
    differing = report.get("differing") or ()
    return ", ".join(f"{there['replica']}: {there['state'].replace('_', '-')} there" for there in differing)


def unconfirmed(report: dict[str, Any]) -> str:
    """How many replicas have not confirmed an override or its end; "" if all have, or it is unknown."""
    number = report.get("unconfirmed") or 0
    if not number:
        return ""
    what = "the override" if report["override"] else "the end of the override"
    return f"{number} other replica{'s have' if number > 1 else ' has'} not confirmed {what} yet"


def why(report: dict[str, Any]) -> str:
    """Why the circuit is in its state, if there is a reason, and where it is in another."""
    return "; ".join(filter(None, (_reason(report), unconfirmed(report), elsewhere(report))))


def _reason(report: dict[str, Any]) -> str:
    if report["override"]:
        word = report["override"]
        ends = "" if word["ends_in_s"] is None else f", for {word['ends_in_s']:.0f} s more"
        return f"{word['reason']} ({word['by']}{ends})"
    return "" if report["state"] == "closed" else str(report["reason"])


def circuit_facts(report: dict[str, Any]) -> Any:
    """One circuit in full, one fact per line."""
    made = table("", "")
    made.show_header = False
    for name, value in _facts(report):
        if value not in (None, ""):
            made.add_row(styled(name, "dim"), styled(value))
    return made


def _facts(report: dict[str, Any]) -> Iterator[tuple[str, object]]:
    yield "name", report["name"]
    yield "state", state_words(report)
    yield "override", _reason(report) if report["override"] else None
    yield "confirmed", _confirmed(report)
    yield "elsewhere", elsewhere(report)
    yield "recovers in", _recovers_in(report)
    yield "recovers here in", _recovers_in(report["here"]) if (report["here"] or {}).get("recovers_in_s") else None
    yield "reason", report["reason"]
    yield "opened by", report["opened_by"]
    yield "changed at", _moment(report["changed_at"])
    yield (
        "opened",
        f"{report['open_count']} times in a row, without a long calm between" if report["open_count"] else None,
    )
    yield "calls", f"{report['samples']} in its window"
    yield "failures", _share(report["failure_rate"])
    yield "slow", _share(report["slow_rate"])
    yield "seen failing by", ", ".join(report["voters"])
    yield "scope", report["scope"]
    yield "epoch", report["epoch"]


def _confirmed(report: dict[str, Any]) -> str | None:
    if report.get("unconfirmed") is None:
        return None
    return unconfirmed(report) or "by every replica"


def _moment(unix_s: float | None) -> str | None:
    return None if unix_s is None else datetime.fromtimestamp(unix_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")
