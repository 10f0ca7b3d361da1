"""How an endpoint is described in the OpenAPI document, whose code reads and writes bodies by itself for speed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from ha_rag.http.description import FOR_OPERATORS
from ha_rag.http.replies import ErrorReply

_ERRORS = {
    400: "the body is no JSON, or not UTF-8",
    401: "a key or token is wanted",
    403: "not from here, or not with this token",
    404: "there is no such thing",
    408: "the body took too long to arrive",
    409: "the index cannot be changed now, or not from here",
    413: "the body is too large",
    415: "the body is not declared as JSON",
    422: "a field breaks a rule; `param` names it",
    502: "a service failed, and nothing could stand in for it",
    503: "not now; `Retry-After` says when, where that is known",
    504: "not within the time allowed",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error replies of an endpoint."""
    return {status: {"model": ErrorReply, "description": _ERRORS[status]} for status in statuses}


def takes(model: type[BaseModel], *, examples: dict[str, Any] | None = None) -> dict[str, Any]:
    """The request body of an endpoint that reads it by itself."""
    schema = _whole(model.model_json_schema())
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, **_shown(examples)}}}}


def for_operators(described: dict[str, Any] | None = None) -> dict[str, Any]:
    """An operation that changes things, described beside that as `described`."""
    return {**(described or {}), FOR_OPERATORS: True}


def _shown(examples: dict[str, Any] | None) -> dict[str, Any]:
    return {"examples": {name: {"value": value} for name, value in examples.items()}} if examples else {}


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` with what it refers to in the place of each reference: inside the document those would lead nowhere."""
    parts = schema.pop("$defs", {})

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return resolved(parts[value["$ref"].rpartition("/")[2]])
        return {key: resolved(item) for key, item in value.items()}

    whole: dict[str, Any] = resolved(schema)
    return whole
