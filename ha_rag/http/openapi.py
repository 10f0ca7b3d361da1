"""The OpenAPI document: what FastAPI cannot know, since this server reads bodies and checks keys itself."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from starlette.routing import BaseRoute

from ha_rag.http.access import ADMIN_VARIABLE, Access
from ha_rag.http.replies import ErrorReply

KEY = {"type": "http", "scheme": "bearer", "description": "An API key (`HA_RAG_API_KEYS`), or the operator's token."}
OPERATOR = {"type": "http", "scheme": "bearer", "description": f"The operator's token (`{ADMIN_VARIABLE}`)."}
FOR_OPERATORS = "x-operators-only"
"""Marks, among our own operations, those that change things; not part of the document that goes out."""


class DescribedApp(FastAPI):
    """An application that describes itself with the keys that this server requires, and no others."""

    def __init__(self, access: Access, **facts: Any) -> None:
        super().__init__(**facts)
        self._access = access
        self._routers: list[APIRouter] = []

    def include_router(self, router: APIRouter, *args: Any, **kwargs: Any) -> None:
        """Includes `router`, and remembers it for `every_route`."""
        super().include_router(router, *args, **kwargs)
        self._routers.append(router)

    def every_route(self) -> list[BaseRoute]:
        """The routes of this application and of the routers in it, which newer FastAPI leaves out of `routes`."""
        return [*self.routes, *(route for router in self._routers for route in router.routes)]

    def openapi(self) -> dict[str, Any]:
        """The document, written once."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemes = {}
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    operators = operation.pop(FOR_OPERATORS, False)
                    if operators and self._access.admin_token is not None:
                        operation["security"], schemes["operator"] = [{"operator": []}], OPERATOR
                    elif path.startswith("/v1/") and self._access.api_keys:
                        operation["security"], schemes["key"] = [{"key": []}], KEY
            if schemes:
                document["components"]["securitySchemes"] = schemes
            self.openapi_schema = document
        return self.openapi_schema


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
