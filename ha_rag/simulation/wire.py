"""Requests and responses in OpenAI's format, for the simulated provider."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

JSON = "application/json"


class BadRequestError(Exception):
    """The request is invalid. `param`: the invalid part, or ""."""

    def __init__(self, message: str, param: str = "") -> None:
        super().__init__(message)
        self.param = param


def json_reply(value: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON response."""
    return web.Response(body=orjson.dumps(value), status=status, headers=headers, content_type=JSON)


def error_reply(
    message: str,
    status: int,
    kind: str = "invalid_request_error",
    param: str = "",
    headers: dict[str, str] | None = None,
) -> web.Response:
    """An error in OpenAI's format."""
    return json_reply(
        {"error": {"message": message, "type": kind, "param": param or None, "code": None}}, status, headers
    )


async def json_object(request: web.Request) -> dict[str, Any]:
    """The JSON object in the request's body. Raises BadRequestError."""
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise BadRequestError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadRequestError("the body must be a JSON object")
    return body


def model_name(body: dict[str, Any]) -> str:
    """The requested model. Raises BadRequestError."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequestError("you must provide a model parameter", "model")
    return model
