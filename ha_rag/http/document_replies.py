"""Reply schemas of documents, for the OpenAPI document only: `document_wire` builds the replies."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class ListedDocumentReply(BaseModel):
    """A document in the index."""

    id: str = Field(description="As in citations.")
    title: str
    origin: Literal["file", "http", "sample"] = Field(description="Where it came from.")
    source: str | None = Field(description="The file that it was read from, if there is one.")
    state: Literal["searchable", "waiting", "indexing", "damaged"] = Field(
        description="`waiting`: found by its words, but passages lack vectors; the next ingest makes them. `indexing`: "
        "it is being written. `damaged`: part of it is left out until it is read or added again."
    )
    reason: str | None = Field(description="Why it is in its state, unless that is `searchable`.")
    passages: int
    vectors: dict[str, int] = Field(description="Space -> how many of its passages have a vector there.")
    indexed_at: float | None = Field(description="When this content was indexed, in Unix seconds, if known.")


class DocumentListReply(BaseModel):
    """A page of the list of documents."""

    documents: list[ListedDocumentReply]
    total: int = Field(description="How many documents the index has, whatever was asked for.")
    next: str | None = Field(
        description="`after` of the next page; null on the last one. Any other page may be shorter than `limit`."
    )


class PassageReply(BaseModel):
    """A passage of a document."""

    passage: str = Field(description="Its id, as in citations.")
    title: str
    heading: str
    text: str
    problem: str | None = Field(description="What is wrong with it, if it is damaged; then its text is left out.")


class DocumentDetailsReply(ListedDocumentReply):
    """A document with its passages."""

    metadata: dict[str, Any]
    texts: list[PassageReply]
    next: int | None = Field(description="`after` of its next passages; null if these are the last.")


class DocumentReply(BaseModel):
    """A document that was added."""

    document: str
    passages: int
    replaced: bool = Field(description="Whether a document with this id existed before.")
    missing: dict[str, str] = Field(description="Embedder -> why it returned no vectors; the next ingest adds them.")


class UnreadReply(BaseModel):
    """A part of a file that could not be read, such as a page, a sheet or a line."""

    part: str
    reason: str


class FileReply(BaseModel):
    """What became of a file that was sent."""

    file: str = Field(description="Its name.")
    documents: list[DocumentReply] = Field(description="One; several for JSON lines; none if it could not be read.")
    notes: list[str] = Field(description="What is to be known of what was read all the same, such as a replaced byte.")
    unread: list[UnreadReply]
    error: str | None = Field(description="Why nothing of it was added.")


class FilesReply(BaseModel):
    """What became of the files of a multipart body, in their order."""

    files: list[FileReply]


class DeletedReply(BaseModel):
    """A document that was deleted."""

    document: str
    deleted: bool
