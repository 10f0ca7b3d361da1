"""The parts of the OpenAPI document that FastAPI cannot derive: request bodies, error replies and security."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from starlette.routing import BaseRoute

from ha_rag.http.access import ADMIN_VARIABLE, Access
from ha_rag.http.replies import ErrorReply

KEY = {"type": "http", "scheme": "bearer", "description": "An API key (`HA_RAG_API_KEYS`) or the operator token."}
OPERATOR = {"type": "http", "scheme": "bearer", "description": f"The operator token (`{ADMIN_VARIABLE}`)."}
FOR_OPERATORS = "x-operators-only"
"""Marks operations that make changes; removed before the document is served."""


class DescribedApp(FastAPI):
    """A FastAPI application whose OpenAPI document states the keys that this server requires."""

    def __init__(self, access: Access, **options: Any) -> None:
        super().__init__(**options)
        self._access = access
        self._routers: list[APIRouter] = []

    def include_router(self, router: APIRouter, *args: Any, **kwargs: Any) -> None:
        """Includes `router`, and records it for `every_route`."""
        super().include_router(router, *args, **kwargs)
        self._routers.append(router)

    def every_route(self) -> list[BaseRoute]:
        """The routes of this application and of its routers; newer FastAPI omits the latter from `routes`."""
        return [*self.routes, *(route for router in self._routers for route in router.routes)]

    def openapi(self) -> dict[str, Any]:
        """The document, generated once."""
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
    400: "the body is not valid JSON, not UTF-8, or not a valid form",
    401: "a key or token is missing or wrong",
    403: "not allowed for this client",
    404: "not found",
    408: "the body took too long to arrive",
    409: "the index cannot be changed now, or not by this replica",
    413: "the body is too large, or has too many values",
    415: "the body is of a type that is not taken here, or is compressed",
    422: "invalid value; `param` names the field",
    429: "too much of this at a time; `Retry-After` gives the wait",
    502: "a service failed, and there was no fallback",
    503: "temporarily unavailable; `Retry-After` gives the wait, if known",
    504: "a service did not answer in time",
    507: "no space is left on the disk of the index",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error replies of an endpoint."""
    return {status: {"model": ErrorReply, "description": _ERRORS[status]} for status in statuses}


def takes(model: type[BaseModel], *, examples: dict[str, Any] | None = None, files: str = "") -> dict[str, Any]:
    """The request body of an endpoint that parses it itself. `files`: a form's field, if it takes files as well."""
    schema = _inlined(model.model_json_schema())
    content = {"application/json": {"schema": schema, **_examples(examples)}}
    return {"requestBody": {"required": True, "content": content | (_form(files) if files else {})}}


def _form(field: str) -> dict[str, Any]:
    several = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1, "maxItems": 20}
    schema = {"type": "object", "properties": {field: several}, "required": [field], "additionalProperties": False}
    return {"multipart/form-data": {"schema": schema}}


def for_operators(described: dict[str, Any] | None = None) -> dict[str, Any]:
    """`described`, marked as an operation that makes changes."""
    return {**(described or {}), FOR_OPERATORS: True}


def _examples(examples: dict[str, Any] | None) -> dict[str, Any]:
    return {"examples": {name: {"value": value} for name, value in examples.items()}} if examples else {}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` with its references inlined: they would not resolve inside the document."""
    definitions = schema.pop("$defs", {})

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return resolved(definitions[value["$ref"].rpartition("/")[2]])
        return {key: resolved(item) for key, item in value.items()}

    inlined: dict[str, Any] = resolved(schema)
    return inlined
