"""POST /v1/documents and DELETE /v1/documents/{id}: changing the index."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from ha_rag.http.access import MULTIPART
from ha_rag.http.bodies import Body, media_type, read_json
from ha_rag.http.document_list import DocumentId, no_document
from ha_rag.http.document_replies import DeletedReply, DocumentReply, FilesReply
from ha_rag.http.document_wire import added_wire, file_wire
from ha_rag.http.lines import Name
from ha_rag.http.multipart import FIELD, folder_for_files, receive_files
from ha_rag.http.openapi import errors, for_operators, takes
from ha_rag.http.problems import Problem
from ha_rag.http.service import Service
from ha_rag.http.wire import json_response
from ha_rag.index.document import has_words
from ha_rag.index.single_document import MediaType

TOLD = 5
"""So many files are named with their reasons if none could be read."""


def _has_text(text: str) -> str:
    if not has_words(text):
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
    """A document: plain text, Markdown or HTML."""

    text: Annotated[str, Field(min_length=1, json_schema_extra={"pattern": r"[\p{L}\p{N}]"}), AfterValidator(_has_text)]
    id: Name | None = Field(
        default=None,
        description="Its id in citations; a document with this id is replaced. Absent: derived from the text.",
    )
    title: Annotated[str, Field(max_length=512)] = ""
    metadata: dict[str, MetadataValue] = Field(default={}, max_length=64)
    media_type: MediaType | None = Field(
        default=None,
        description="Markdown and HTML are read as `ha-rag ingest` reads them. Absent: Markdown if the id ends like "
        "the name of such a file, else the text is taken as it is, and split at Markdown headings.",
    )


def document_routes(service: Service) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["documents"])

    @routes.post(
        "/v1/documents",
        responses={
            200: {"model": DocumentReply | FilesReply},
            **errors(400, 401, 403, 408, 409, 413, 415, 422, 503, 507),
        },
        openapi_extra=for_operators(takes(DocumentBody, files=FIELD)),
        summary="Add a document, or files",
    )
    async def add(request: Request) -> Response:
        """Splits, embeds and indexes it; it can be found once this returns. 409 if the index cannot be written.

        A multipart body brings up to 20 files, each as a part called `file`, of all kinds that `ha-rag ingest` reads,
        told by the endings of their names. The reply says what became of each one; 422 if none could be read.
        """
        service.access.admit_operator(request, also=(MULTIPART,))
        if media_type(request) == MULTIPART:
            return await _add_files(service, request)
        body = await read_json(request, DocumentBody)
        return json_response(
            added_wire(await service.documents.add(body.id, body.text, body.title, body.metadata, body.media_type))
        )

    @routes.delete(
        "/v1/documents/{document:document}",
        responses={200: {"model": DeletedReply}, **errors(401, 403, 404, 409, 413, 415, 503, 507)},
        openapi_extra=for_operators(),
        summary="Delete a document",
    )
    async def delete(request: Request, document: DocumentId) -> Response:
        """It can no longer be found once this returns. Needs no body and no content type."""
        service.access.admit_operator(request, also=("",))
        if not await service.documents.delete(document):
            raise no_document(document)
        return json_response({"document": document, "deleted": True})

    return routes


async def _add_files(service: Service, request: Request) -> Response:
    with folder_for_files() as folder:
        results = await service.documents.add_files(await receive_files(request, folder))
    if all(result.error for result in results):
        told = "; ".join(f"{result.name}: {result.error}" for result in results[:TOLD])
        raise Problem(422, "unreadable_document", told, param=FIELD)
    return json_response({"files": [file_wire(result) for result in results]})
