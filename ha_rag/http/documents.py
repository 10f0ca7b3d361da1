"""POST /v1/documents and DELETE /v1/documents/{id}: changing the index."""

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


def _has_text(text: str) -> str:
    if not any(character.isalnum() for character in text):
        raise ValueError("must contain a letter or a digit")
    return text


def _metadata_value(value: object) -> object:
    if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("must be text, a finite number, true or false")
    return value


MetadataValue = Annotated[
    str | int | float | bool, BeforeValidator(_metadata_value, json_schema_input_type=str | int | float | bool)
]


class DocumentBody(Body):
    """A document: plain text or Markdown."""

    text: Annotated[str, Field(min_length=1, json_schema_extra={"pattern": r"[\p{L}\p{N}]"}), AfterValidator(_has_text)]
    id: Name | None = Field(
        default=None,
        description="Its id in citations; a document with this id is replaced. Absent: derived from the text.",
    )
    title: Annotated[str, Field(max_length=512)] = ""
    metadata: dict[str, MetadataValue] = Field(default={}, max_length=64)


def document_routes(service: Service) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["documents"])

    @routes.post(
        "/v1/documents",
        responses={200: {"model": DocumentReply}, **errors(400, 401, 403, 408, 409, 413, 415, 422, 503)},
        openapi_extra=for_operators(takes(DocumentBody)),
        summary="Add a document",
    )
    async def add(request: Request) -> Response:
        """Splits, embeds and indexes it; it can be found once this returns. 409 if the index cannot be written."""
        service.access.admit_operator(request)
        body = await read_json(request, DocumentBody)
        indexed = await service.documents.add(body.id, body.text, body.title, body.metadata)
        return json_response(
            {
                "document": indexed.document,
                "passages": indexed.passages,
                "replaced": indexed.replaced,
                "missing": indexed.missing,
            }
        )

    @routes.delete(
        "/v1/documents/{document:path}",
        responses={200: {"model": DeletedReply}, **errors(401, 403, 404, 409, 413, 415, 503)},
        openapi_extra=for_operators(),
        summary="Delete a document",
    )
    async def delete(request: Request, document: str) -> Response:
        """It can no longer be found once this returns."""
        service.access.admit_operator(request)
        if not await service.documents.delete(document):
            raise not_found(f"there is no document {document[:200]!r}", param="document")
        return json_response({"document": document, "deleted": True})

    return routes
