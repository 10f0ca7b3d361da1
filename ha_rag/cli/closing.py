"""When circuits close after their service was mended: what is left of the open time, with its backoff."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ha_rag.cli.replica_client import DEFAULT_URL, client_of
from ha_rag.errors import HaRagError
from ha_rag.harmless import harmless

TIMEOUT_S = 3.0
IN_GENERAL = "an open circuit closes once its open time is over and calls have succeeded as its probes"


def when_they_close(url: str | None, circuit: str | None, kinds: Collection[str]) -> list[str]:
    """One sentence for each circuit that is not closed; for `circuit`, whatever its state.

    `url`: a replica; None: the fleet here, or the rule in general if none answers. `circuit`: None: those whose names
    begin with one of `kinds`. Raises CommandError if nothing answers at `url`.
    """
    from ha_rag.cli.fleet_here import fleet_here

    try:
        fleet = None if url else fleet_here()
        reports = client_of(url or (fleet.url if fleet else DEFAULT_URL), timeout_s=TIMEOUT_S).get("/v1/circuits")
        told = {report["name"]: report for report in reports["circuits"]}
    except (HaRagError, LookupError, TypeError):
        if url:
            raise
        return [IN_GENERAL]
    if circuit is not None:
        return [_closing(told[circuit])] if circuit in told else [IN_GENERAL]
    found = [
        _closing(report) for name, report in told.items() if name.split(".")[0] in kinds and not _is_closed(report)
    ]
    return found or ["their circuits are closed"]


def _is_closed(report: dict[str, Any]) -> bool:
    return report["state"] == "closed" and not report["override"]


def _closing(report: dict[str, Any]) -> str:
    name = harmless(report["name"])
    if report["override"]:
        return _overridden(name, report["override"])
    if report["state"] == "closed":
        return f"{name} is closed"
    if report["state"] == "half_open":
        return f"{name} is half-open: it closes once the next calls have succeeded as its probes"
    wait = report["recovers_in_s"]
    when = "once its open time is over" if wait is None else f"in {wait:.1f} s at the earliest"
    again = f" (its opening no. {report['open_count']} in a row: each lasts longer)" if report["open_count"] > 1 else ""
    return f"{name} closes {when}{again}: until then it is open, then it closes once calls have succeeded as its probes"


def _overridden(name: str, override: dict[str, Any]) -> str:
    ends = override["ends_in_s"]
    until = "until" if ends is None else f"for {ends:.0f} s more, or until"
    return (
        f"{name} is {override['mode']} by hand ({harmless(override['reason'])}), {until}: ha-rag circuits auto {name}"
    )
