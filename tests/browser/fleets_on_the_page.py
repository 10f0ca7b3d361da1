"""Made-up states of a fleet, and a page that shows one of them: files are ours, the stream of events is made up."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Page, Route

from ha_rag.http.pages import PAGE_POLICY
from ha_rag.monitor.impact import with_impact
from ha_rag.monitor.snapshot import (
    CircuitPicture,
    FleetSnapshot,
    LostReplica,
    Opening,
    Override,
    Rate,
    RedisPicture,
    State,
    TrafficPoint,
)
from ha_rag.monitor.tier_pictures import stage_pictures
from ha_rag.telemetry import sketch
from tests.browser.dashboard_page import sse
from tests.monitor.pictures import CALM, NOW, circuit, opening, picture, replica

TIERS = {
    "embedder": ("primary", "secondary"), "retriever": ("hybrid", "lexical"),
    "generator": ("cloud", "local", "extractive"),
}  # fmt: skip
BY_HAND = Override(mode="open", reason="maintenance of the provider", by="admin", ends_in_s=1200.0)
LATENCIES = {
    "embedder.primary": 14.0, "embedder.secondary": 41.0, "retriever.hybrid": 8.2, "retriever.lexical": 3.0,
    "generator.cloud": 812.0, "generator.local": 1900.0, "generator.extractive": 2.1,
}  # fmt: skip

MINUTES_S, CHANGED_S = 180, 61
"""Seconds of history, and for how many of them tiers have served what they serve now."""


def _circuit(name: str, state: State, **fields: Any) -> CircuitPicture:
    opened = Opening(at=NOW - 42, reason="12 of 12 failed, 0 slow", by="rag-2", samples=12, failed=12)
    has_opened = state != "closed" and "override" not in fields
    more: dict[str, Any] = {"opened": opened, "opened_by": "rag-2", "reason": opened.reason} if has_opened else {}
    return circuit(**{"name": name, "state": state, "history": _history(state), **more, **fields})


def _point(ago: int, served: dict[str, dict[str, int]], busy: bool) -> TrafficPoint:
    whole = {stage: {tiers[0]: 60} for stage, tiers in TIERS.items()} | served
    return TrafficPoint(
        at=NOW - ago, seconds=1.0, questions=60, degraded=0, broken=0, served=whole if busy else {}, p50_ms=110.0,
        p99_ms=420.0,
    )  # fmt: skip


def _history(state: State) -> tuple[Rate, ...]:
    """Well until the circuit left `closed`, 42 seconds ago."""
    since = 42 if state != "closed" else -1
    return tuple(
        Rate(at=NOW - ago, state=state if ago < since else "closed", failure_rate=0.9 if ago < since else 0.0,
             slow_rate=0.1 if ago < since else 0.0, samples=12)
        for ago in range(MINUTES_S, -1, -1)
    )  # fmt: skip


def _fleet(
    served: dict[str, dict[str, int]], *special: CircuitPicture, replicas: int = 3, **fields: Any
) -> FleetSnapshot:
    names = [f"{stage}.{tier}" for stage, tiers in TIERS.items() for tier in tiers]
    circuits = {name: _circuit(name, "closed") for name in names} | {each.name: each for each in special}
    busy = fields.pop("busy", True)
    points = tuple(_point(ago, served if ago < CHANGED_S else {}, busy) for ago in range(MINUTES_S, -1, -1))
    per_s = 60.0 if busy else 0.0
    traffic = replace(CALM, per_s=per_s, p99_ms=420.0 if busy else None, history=points)
    made = picture(
        **{
            "circuits": tuple(circuits.values()),
            "tiers": TIERS,
            "replicas": tuple(replica(f"rag-{n}") for n in range(1, replicas + 1)),
            "traffic": replace(traffic, degraded_share=fields.pop("degraded", 0.0)),
            "timeline": (opening(NOW - 42),),
            **fields,
        }
    )
    used = {name: {sketch.bucket(ms): 60} for name, ms in LATENCIES.items() if busy}
    return with_impact(replace(made, stages=stage_pictures(made, used)))


def _brownout() -> FleetSnapshot:
    """Its language model answers four of ten questions slowly: not enough to open its circuit."""
    slow = tuple(replace(rate, slow_rate=0.4) for rate in _history("closed"))
    shown = _fleet({}, _circuit("generator.cloud", "closed", slow_rate=0.4, samples=40, history=slow))
    return with_impact(replace(shown, traffic=replace(shown.traffic, p99_ms=4200.0)))


def _many() -> FleetSnapshot:
    states: tuple[State, ...] = ("closed", "open", "half_open")
    others = [_circuit(f"payments.provider-with-a-long-name-{n}:443", states[n % 3]) for n in range(13)]
    return _fleet({}, *others, replicas=30)


INSTEAD = {"embedder": {"primary": 22, "secondary": 38}}
FLEETS: dict[str, FleetSnapshot] = {
    "healthy": _fleet({}),
    "one open": _fleet(INSTEAD, _circuit("embedder.primary", "open", recovers_in_s=3.0), degraded=0.38),
    "half-open quiet": _fleet({}, _circuit("embedder.primary", "half_open", waiting=True), busy=False),
    "half-open busy": _fleet(INSTEAD, _circuit("embedder.primary", "half_open"), degraded=0.5),
    "by hand": _fleet(INSTEAD, _circuit("embedder.primary", "open", override=BY_HAND), degraded=1.0),
    "Redis away": _fleet({}, redis=RedisPicture(configured=True, reachable=False, problem="Connection refused")),
    "replica killed": _fleet({}, replicas=2, lost=(LostReplica(name="rag-3", silent_s=9.0),)),
    "many": _many(),
    "brownout": _brownout(),
    "last resort": _fleet(
        {"embedder": {"zero": 60}}, *(_circuit(f"embedder.{tier}", "open") for tier in TIERS["embedder"]), degraded=1.0
    ),
}


WEB = Path(__file__).parents[2] / "ha_rag" / "dashboards" / "web"
ORIGIN = "http://fleet.test"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
STREAM = """(body) => {
    const real = window.fetch;
    const endless = () => new ReadableStream({ start(stream) {
        const send = () => stream.enqueue(new TextEncoder().encode(body));
        send();
        setInterval(send, 1000);
    } });
    const isStream = (url) => String(url).startsWith("/v1/events");
    window.fetch = (url, options) => (isStream(url) ? Promise.resolve(new Response(endless())) : real(url, options));
}"""


async def show(page: Page, fleet: FleetSnapshot) -> None:
    """Opens the page, as a server would send it, on a stream that repeats `fleet` every second."""
    body = sse("fleet", dataclasses.asdict(fleet))
    await page.add_init_script(f"({STREAM})({json.dumps(body)})")
    await page.route(f"{ORIGIN}/**", _from_files)
    await page.goto(f"{ORIGIN}/")
    await page.locator("#timeline li").first.wait_for()  # drawn last


async def _from_files(route: Route) -> None:
    path = urlsplit(route.request.url).path
    file = WEB / (path.removeprefix("/web/") if path != "/" else "index.html")
    headers = {"Content-Type": TYPES[file.suffix], "Content-Security-Policy": PAGE_POLICY}
    await route.fulfill(status=200, headers=headers, body=file.read_bytes())
