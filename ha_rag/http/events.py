"""GET /v1/events: the fleet's events as a stream (server-sent events, WHATWG HTML, 9.2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query
from pydantic import AfterValidator
from starlette.responses import Response, StreamingResponse

from ha_rag.http.openapi import errors
from ha_rag.http.service import DashboardService
from ha_rag.ledger.store.timeline import Place
from ha_rag.monitor.feed import FleetUpdate, feed

RETRY_MS = 1000
"""How long a client waits before it reconnects."""

_STREAM: dict[str, Any] = {"content": {"text/event-stream": {}}, "description": "Server-sent events."}
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def _valid_position(text: str) -> str:
    if text:
        Place.parse(text)  # a ConfigurationError is a ValueError, so pydantic reports its message
    return text


# The pattern only documents the rule; `Place.parse` enforces it.
_ID: dict[str, Any] = {"pattern": r"^([0-9]{1,16}-[0-9]{1,16}@[A-Za-z0-9._%-]{1,1600})?$"}
ResumeFrom = Annotated[
    str,
    Header(
        alias="Last-Event-ID",
        description="The id of the last event received; the stream continues after it.",
        max_length=1640,
        json_schema_extra=_ID,
    ),
    AfterValidator(_valid_position),
]
After = Annotated[
    str,
    Query(
        description="The same as Last-Event-ID, for clients that cannot set headers.",
        max_length=1640,
        json_schema_extra=_ID,
    ),
    AfterValidator(_valid_position),
]
WithFleet = Annotated[bool, Query(description="Also send fleet snapshots: at once, every second, and at each change.")]


def event_routes(service: DashboardService) -> APIRouter:
    """The endpoint."""
    routes = APIRouter(tags=["fleet"])

    @routes.get(
        "/v1/events",
        summary="Stream of events",
        response_class=StreamingResponse,
        responses={200: _STREAM, **errors(401, 422)},
    )
    async def events(last_event_id: ResumeFrom = "", after: After = "", fleet: WithFleet = False) -> Response:
        """Each transition of each circuit once, in order, with cause and counts (`event: event`).

        With `fleet`, also snapshots of the fleet (`event: fleet`): the first as in /v1/fleet, later ones with only the
        new points of each history, and without the timeline.
        """
        position = last_event_id or after
        place = Place.parse(position) if position else None
        return StreamingResponse(_stream(service, place, fleet), media_type="text/event-stream", headers=_HEADERS)

    return routes


async def _stream(service: DashboardService, place: Place | None, fleet: bool) -> AsyncGenerator[bytes]:
    # The retry line goes out with the first update: a client that has it misses no later event.
    preamble = b"retry: %d\n\n" % RETRY_MS
    async with aclosing(feed(service.watcher, place)) as updates:
        async for update in updates:
            yield preamble + (b"".join(_messages(update, fleet)) or b": keep-alive\n\n")
            preamble = b""
            # A draining replica ends its streams, so that clients reconnect to another replica.
            if service.draining:
                return


def _messages(update: FleetUpdate, fleet: bool) -> list[bytes]:
    messages = [_message("event", event, event.id) for event in update.events]
    return [*messages, _message("fleet", update.snapshot)] if fleet else messages


def _message(kind: str, data: Any, event_id: str = "") -> bytes:
    id_line = b"id: " + event_id.encode() + b"\n" if event_id else b""
    return b"event: " + kind.encode() + b"\n" + id_line + b"data: " + orjson.dumps(data) + b"\n\n"
