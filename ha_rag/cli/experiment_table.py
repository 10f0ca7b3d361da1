"""The table of `ha-rag experiment`: both arms, what differs, and what that says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ha_rag.cli.screen import console, styled, table

SHARES = {"liked": "liked", "answered": "answered", "undegraded": "not degraded", "in_time": "in time"}


def show(found: dict[str, Any]) -> None:
    """Prints a report, as `/v1/experiment` gives it."""
    out = console()
    first, second = found["arms"]
    out.print(styled(f"experiment {found['name']}{_since(found['started'])}"))
    out.print()
    shown = table("", styled(first["name"]), styled(second["name"]), "difference (interval)")
    for row in _rows(found):
        shown.add_row(*(styled(cell) for cell in row))
    out.print(shown)
    out.print()
    for line, style in _words(found):
        out.print(styled(line, style))


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    arms = found["arms"]
    weight = sum(arm["weight"] for arm in arms)
    yield "share of users", *(f"{arm['weight'] / weight:.0%}" for arm in arms), ""
    yield "calls first", *(", ".join(arm["firsts"].values()) or "as listed" for arm in arms), ""
    yield "users or sessions", *(f"{arm['units']:,}" for arm in arms), ""
    yield "questions", *(f"{arm['questions']:,}" for arm in arms), ""
    for one in found["differences"]:
        shares = [arm["shares"][one["metric"]] for arm in arms]
        yield _metric(one["metric"], found), *map(_share, shares), _difference(one)
    yield "served otherwise", *(_of_all(arm, "otherwise") for arm in arms), ""
    yield "half of the answers", *(_ms(arm["p50_ms"]) for arm in arms), ""
    yield "99 of 100 answers", *(_ms(arm["p99_ms"]) for arm in arms), ""


def _words(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if found["split_doubted"]:
        yield (
            "Do not trust this: users are not split as configured, so something loses questions of one arm.",
            "bold red",
        )
    yield f"Verdict: {found['verdict']}.", "bold"
    yield from ((f"Guardrail: {words}.", "yellow") for words in found["guardrails"])
    if found["ended"]:
        yield f"Ended by an operator: {found['ended']} answers everybody; nothing more is counted.", ""
    yield from ((f"Note: {words}.", "dim") for words in found["warnings"])
    yield "The intervals hold at every look, so look whenever you like. The split lasts until you end it.", "dim"


def _metric(metric: str, found: dict[str, Any]) -> str:
    name = SHARES.get(metric, metric)
    return f"{name} ({found['late_s']:g} s)" if metric == "in_time" else name


def _share(share: dict[str, Any]) -> str:
    if share["share"] is None:
        return "-"
    return f"{share['share']:.1%} of {share['number']:,} ({share['low']:.0%} to {share['high']:.0%})"


def _difference(one: dict[str, Any]) -> str:
    if one["points"] is None:
        return "-"
    return f"{100 * one['points']:+.1f} points ({100 * one['low']:+.1f} to {100 * one['high']:+.1f})"


def _of_all(arm: dict[str, Any], what: str) -> str:
    return f"{arm[what] / arm['questions']:.1%}" if arm["questions"] else "-"


def _ms(took: float | None) -> str:
    return "-" if took is None else f"{took:,.0f} ms"


def _since(started: float | None) -> str:
    if started is None:
        return ": nothing was counted yet"
    return f", since {datetime.fromtimestamp(started).astimezone():%Y-%m-%d %H:%M}"
