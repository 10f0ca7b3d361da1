"""Around the router: a fast path for the busiest endpoints, HEAD requests, and the allowed methods of a path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ha_rag.errors import HaRagError
from ha_rag.http.problems import Problem, problem_of

Handler = Callable[[Request], Awaitable[Response]]

ENDLESS_PATHS = frozenset(["/v1/events"])
"""Their replies to GET do not end, so HEAD is refused."""

_FILE_METHODS = {"GET", "HEAD"}


class FastPath:
    """Calls the handlers of known (method, path) pairs directly; every other request goes to `app`.

    Routing would take a sixth of a question's time. The endpoints are in `app` too, for the OpenAPI document.
    """

    def __init__(self, app: ASGIApp, handlers: Mapping[tuple[str, str], Handler]) -> None:
        self.app = app
        self.handlers = dict(handlers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self.handlers.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if handler is None:
            await self.app(scope, receive, send)
            return
        try:
            response = await handler(Request(scope, receive))
        except (Problem, HaRagError) as error:
            response = problem_of(error).response()
        await response(scope, receive, send)


class HeadAsGet:
    """Answers HEAD as GET, with the same status and headers and without the body (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] in ENDLESS_PATHS:
            await self.app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self.app({**scope, "method": "GET"}, receive, without_body)


def allowed_methods(routes: Iterable[BaseRoute], scope: Scope) -> list[str]:
    """The methods of all `routes` at the path in `scope`, sorted: the value of an Allow header (RFC 9110, 10.2.1)."""
    found: set[str] = set()
    requested = {**scope, "root_path": ""}  # a mount that handled the request has set its own path here
    for route in routes:
        if isinstance(route, Route | Mount) and route.matches(requested)[0] is not Match.NONE:
            found |= _FILE_METHODS if isinstance(route, Mount) else route.methods or set()
    if scope["path"] not in ENDLESS_PATHS and "GET" in found:
        found.add("HEAD")
    return sorted(found)
