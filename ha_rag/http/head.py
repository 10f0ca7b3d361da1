"""HEAD where load balancers and monitors ask with it: the reply to GET, without its body."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATHS = frozenset(["/", "/docs", "/openapi.json", "/health", "/health/live", "/health/ready"])
"""What is asked for in this way. Elsewhere HEAD stays refused: it would cost what GET costs, for nothing."""


class Head:
    """Answers HEAD on `PATHS` as GET, status and headers alike."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] not in PATHS:
            await self.app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self.app({**scope, "method": "GET"}, receive, without_body)
