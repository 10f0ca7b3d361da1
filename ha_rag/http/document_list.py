"""GET /v1/documents and /v1/documents/{id}: what is in the index.

An operator's, since a list names files of the server, and shows whole texts rather than the passages that answer a
question.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from ha_rag.http.document_replies import DocumentDetailsReply, DocumentListReply
from ha_rag.http.document_wire import details_wire, document_wire
from ha_rag.http.openapi import errors, for_operators
from ha_rag.http.problems import Problem, invalid, not_found
from ha_rag.http.service import Service
from ha_rag.http.wire import json_response
from ha_rag.index.listed import DocumentFilter, DocumentState, Origin

LONGEST_CURSOR = 8_192


class DocumentConvertor(StringConvertor):
    """A document's id in a path: any text, with slashes and line breaks, taken as it is."""

    regex = "(?s:.+)"


register_url_convertor("document", DocumentConvertor())

DocumentId = Annotated[
    str, Path(examples=["breaker.md"], description="Its id, as in citations; percent-encoded as one part of the path.")
]
Words = Annotated[str, Query(max_length=500, description="Only those with these words in id, title or source.")]
Cursor = Annotated[
    str,
    Query(
        max_length=LONGEST_CURSOR,
        pattern="^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-]{2,3})?$",
        description="`next` of the page before; absent: the first.",
    ),
]


def document_list_routes(service: Service) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["documents"])

    @routes.get(
        "/v1/documents",
        responses={200: {"model": DocumentListReply}, **errors(401, 403, 409, 422, 503)},
        openapi_extra=for_operators(),
        summary="List the documents",
    )
    async def every(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=500, description="How many, at most.")] = 50,
        after: Cursor = "",
        words: Words = "",
        state: Annotated[DocumentState | None, Query(description="Only those in this state.")] = None,
        origin: Annotated[Origin | None, Query(description="Only those that came from there.")] = None,
    ) -> Response:
        """In the order of their ids. A document that stays is on exactly one page, whatever changes meanwhile."""
        service.access.admit_operator(request)
        wanted = DocumentFilter(words=words, state=state, origin=origin)
        page = await service.documents.page(wanted, limit, _id_of(after))
        documents = [document_wire(listed) for listed in page.documents]
        following = None if page.after is None else _cursor_of(page.after)
        return json_response({"documents": documents, "total": page.total, "next": following})

    @routes.get(
        "/v1/documents/{document:document}",
        responses={200: {"model": DocumentDetailsReply}, **errors(401, 403, 404, 409, 422, 503)},
        openapi_extra=for_operators(),
        summary="One document",
    )
    async def one(
        request: Request,
        document: DocumentId,
        limit: Annotated[int, Query(ge=1, le=1000, description="How many passages, at most.")] = 100,
        after: Annotated[int, Query(ge=-1, le=2**53, description="Only those that follow this one.")] = -1,
    ) -> Response:
        """With its metadata and the passages into which it was split."""
        service.access.admit_operator(request)
        details = await service.documents.details(document, limit, after)
        if details is None:
            raise no_document(document)
        return json_response(details_wire(details))

    return routes


def no_document(document: str) -> Problem:
    """404."""
    return not_found(f"there is no document {document[:200]!r}", param="document")


def _cursor_of(identity: bytes) -> str:
    return base64.urlsafe_b64encode(identity).decode().rstrip("=")


def _id_of(cursor: str) -> bytes:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise invalid("after: must be the `next` of a page", "after") from None
