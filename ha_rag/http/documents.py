"""POST /v1/documents and DELETE /v1/documents/{id}: changing what can be found."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from ha_rag.http.bodies import Body, read_json
from ha_rag.http.lines import Name
from ha_rag.http.openapi import errors, for_operators, takes
from ha_rag.http.problems import not_found
from ha_rag.http.replies import DeletedReply, DocumentReply
from ha_rag.http.service import Service
from ha_rag.http.wire import json_response


def _said(text: str) -> str:
    if not any(character.isalnum() for character in text):
        raise ValueError("must have a letter or a digit in it")
    return text


def _fact(value: object) -> object:
    if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("must be a text, a finite number, or true or false")
    return value


Fact = Annotated[str | int | float | bool, BeforeValidator(_fact, json_schema_input_type=str | int | float | bool)]


class DocumentBody(Body):
    """A document as text, which may be Markdown."""

    text: Annotated[str, Field(min_length=1, json_schema_extra={"pattern": r"[\p{L}\p{N}]"}), AfterValidator(_said)]
    id: Name | None = Field(
        default=None, description="Its name in citations; one with the same id is replaced. Absent: made from its text."
    )
    title: Annotated[str, Field(max_length=512)] = ""
    metadata: dict[str, Fact] = Field(default={}, max_length=64)


def document_routes(service: Service) -> APIRouter:
    """The endpoints, over `service`."""
    routes = APIRouter(tags=["documents"])

    @routes.post(
        "/v1/documents",
        responses={200: {"model": DocumentReply}, **errors(400, 401, 403, 408, 409, 413, 415, 422, 503)},
        openapi_extra=for_operators(takes(DocumentBody)),
        summary="Take a document in",
    )
    async def add(request: Request) -> Response:
        """Splits, embeds and indexes it; it is found when this returns. 409 where this replica may not write."""
        service.access.admit_operator(request)
        given = await read_json(request, DocumentBody)
        done = await service.documents.add(given.id, given.text, given.title, given.metadata)
        return json_response(
            {
                "document": done.document,
                "passages": done.passages,
                "replaced": done.replaced,
                "missing": done.missing,
            }
        )

    @routes.delete(
        "/v1/documents/{document:path}",
        responses={200: {"model": DeletedReply}, **errors(401, 403, 404, 409, 413, 415, 503)},
        openapi_extra=for_operators(),
        summary="Forget a document",
    )
    async def delete(request: Request, document: str) -> Response:
        """It is not found any more when this returns."""
        service.access.admit_operator(request)
        if not await service.documents.delete(document):
            raise not_found(f"there is no document {document[:200]!r}", param="document")
        return json_response({"document": document, "deleted": True})

    return routes
