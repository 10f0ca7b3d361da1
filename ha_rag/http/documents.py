"""POST /v1/documents and DELETE /v1/documents/{id}: changing what can be found."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from ha_rag.http.bodies import Body, read_json
from ha_rag.http.describing import errors, takes
from ha_rag.http.problems import not_found
from ha_rag.http.replies import DeletedReply, DocumentReply
from ha_rag.http.service import Service
from ha_rag.http.wire import json_response


class DocumentBody(Body):
    """A document as text, which may be Markdown."""

    text: Annotated[str, Field(min_length=1)]
    id: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        default=None, description="Its name in citations; one with the same id is replaced. Absent: made from its text."
    )
    title: Annotated[str, Field(max_length=512)] = ""
    metadata: dict[str, str | int | float | bool] = Field(default={}, max_length=64)


def document_routes(service: Service) -> APIRouter:
    """The endpoints, over `service`."""
    routes = APIRouter(tags=["documents"])

    @routes.post(
        "/v1/documents",
        responses={200: {"model": DocumentReply}, **errors(400, 401, 403, 409, 413, 415, 422, 503)},
        openapi_extra=takes(DocumentBody),
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
        responses={200: {"model": DeletedReply}, **errors(401, 403, 404, 409, 415, 503)},
        summary="Forget a document",
    )
    async def delete(request: Request, document: str) -> Response:
        """It is not found any more when this returns."""
        service.access.admit_operator(request)
        if not await service.documents.delete(document):
            raise not_found(f"there is no document {document[:200]!r}", param="document")
        return json_response({"document": document, "deleted": True})

    return routes
