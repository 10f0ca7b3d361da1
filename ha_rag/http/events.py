"""GET /v1/events: what happens in the fleet, as it happens (server-sent events, WHATWG HTML, 9.2)."""

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
from ha_rag.monitor.feed import News, feed

RETRY_MS = 1000
"""How long a client waits before it comes back."""

_STREAM: dict[str, Any] = {"content": {"text/event-stream": {}}, "description": "Server-sent events."}
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def _told_place(text: str) -> str:
    if text:
        Place.parse(text)  # a ConfigurationError is a ValueError, so its sentence goes out as it stands
    return text


# The pattern only describes the rule that `Place.parse` holds.
_ID: dict[str, Any] = {"pattern": r"^([0-9]{1,16}-[0-9]{1,16}@[A-Za-z0-9._-]{1,200})?$"}
ResumeFrom = Annotated[
    str,
    Header(
        alias="Last-Event-ID", description="The last event's id: go on after it.", max_length=300, json_schema_extra=_ID
    ),
    AfterValidator(_told_place),
]
After = Annotated[
    str,
    Query(description="The same, for clients that cannot send the header.", max_length=300, json_schema_extra=_ID),
    AfterValidator(_told_place),
]
WithFleet = Annotated[bool, Query(description="Also send the whole fleet: at once, each second, and at each change.")]


def event_routes(service: DashboardService) -> APIRouter:
    """The endpoint, over `service`."""
    routes = APIRouter(tags=["fleet"])

    @routes.get(
        "/v1/events",
        summary="What happens, as it happens",
        response_class=StreamingResponse,
        responses={200: _STREAM, **errors(401, 422)},
    )
    async def events(last_event_id: ResumeFrom = "", after: After = "", fleet: WithFleet = False) -> Response:
        """Each transition of each circuit once, in order, with who, why and counts (`event: event`).

        With `fleet`, pictures of the whole fleet too (`event: fleet`): the first one as /v1/fleet gives it, the later
        ones with only the new points of each history, and without the timeline.
        """
        begin = last_event_id or after
        place = Place.parse(begin) if begin else None
        return StreamingResponse(_told(service, place, fleet), media_type="text/event-stream", headers=_HEADERS)

    return routes


async def _told(service: DashboardService, place: Place | None, fleet: bool) -> AsyncGenerator[bytes]:
    # The first words go out with the first news: who hears them misses nothing that happens from then on.
    greeting = b"retry: %d\n\n" % RETRY_MS
    async with aclosing(feed(service.watcher, place)) as news:
        async for one in news:
            yield greeting + (b"".join(_messages(one, fleet)) or b": still here\n\n")
            greeting = b""
            # A replica that is on its way out sends its readers to another one.
            if service.draining:
                return


def _messages(news: News, fleet: bool) -> list[bytes]:
    told = [_message("event", event, event.id) for event in news.events]
    return [*told, _message("fleet", news.snapshot)] if fleet else told


def _message(kind: str, data: Any, event_id: str = "") -> bytes:
    named = b"id: " + event_id.encode() + b"\n" if event_id else b""
    return b"event: " + kind.encode() + b"\n" + named + b"data: " + orjson.dumps(data) + b"\n\n"
