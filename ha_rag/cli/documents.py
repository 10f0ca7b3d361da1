"""`ha-rag documents`: lists what is in the index, and shows one document. Works on the index; needs no server."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ha_rag.cli.options import Config, Json
from ha_rag.errors import ConfigurationError, UnknownDocumentError

if TYPE_CHECKING:
    from ha_rag.index.listed import DocumentDetails, DocumentFilter, ListedDocument
    from ha_rag.index.listing import DocumentList

AT_ONCE = 500


class DocumentAction(enum.StrEnum):
    """Actions: list the documents, or show one."""

    LIST = "list"
    SHOW = "show"


class WantedState(enum.StrEnum):
    """States of a document, see `ha_rag.index.listed`."""

    SEARCHABLE = "searchable"
    WAITING = "waiting"
    INDEXING = "indexing"
    DAMAGED = "damaged"


class WantedOrigin(enum.StrEnum):
    """Where documents come from."""

    FILE = "file"
    HTTP = "http"
    SAMPLE = "sample"


def documents(
    action: Annotated[DocumentAction, typer.Argument(help="list, show ID.")] = DocumentAction.LIST,
    name: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A document's id, as in citations.", show_default=False)
    ] = None,
    words: Annotated[
        str, typer.Option("--words", "-w", help="Only those with these words in id, title or source.")
    ] = "",
    state: Annotated[
        WantedState | None, typer.Option(help="Only those in this state; waiting: for vectors.", show_default=False)
    ] = None,
    origin: Annotated[
        WantedOrigin | None,
        typer.Option("--from", help="Only those from files, from requests, or the samples.", show_default=False),
    ] = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """List the documents in the index, or show one with its passages."""
    import asyncio

    from ha_rag.assembly.document_list import document_list
    from ha_rag.cli.settings_here import settings_here
    from ha_rag.index.listed import DocumentFilter

    if action is DocumentAction.SHOW and name is None:
        raise ConfigurationError("ha-rag documents show: name the document, as in: ha-rag documents show breaker.md")
    if action is DocumentAction.LIST and name is not None:
        raise ConfigurationError(f"ha-rag documents list {name!r}: takes no id; did you mean `show`, or --words?")
    listing = asyncio.run(document_list(settings_here(config)))
    if name is not None:
        _show(listing, name, as_json=as_json)
    else:
        wanted = DocumentFilter(
            words=words, state=state.value if state else None, origin=origin.value if origin else None
        )
        _list(listing, wanted, as_json=as_json)


def _list(listing: DocumentList, wanted: DocumentFilter, *, as_json: bool) -> None:
    from ha_rag.cli.document_table import document_table, reasons
    from ha_rag.cli.screen import console, print_json, styled
    from ha_rag.http.document_wire import document_wire

    found, total = _every(listing, wanted)
    if as_json:
        print_json({"documents": [document_wire(listed) for listed in found], "total": total})
        return
    if found:
        console().print(document_table(found))
    for reason in reasons(found):
        console().print(styled(reason, "yellow"))
    console().print(styled(_counted(len(found), total), "dim"))


def _every(listing: DocumentList, wanted: DocumentFilter) -> tuple[list[ListedDocument], int]:
    page = listing.page(wanted, AT_ONCE)
    found = [*page.documents]
    while page.after is not None:
        page = listing.page(wanted, AT_ONCE, page.after)
        found += page.documents
    return found, page.total


def _counted(found: int, total: int) -> str:
    if not total:
        return "no documents yet; `ha-rag ingest PATH` reads some"
    documents = f"{total} document{'' if total == 1 else 's'}"
    return documents if found == total else f"{found} of {documents}"


def _show(listing: DocumentList, name: str, *, as_json: bool) -> None:
    from ha_rag.cli.document_table import document_facts, passage_lines
    from ha_rag.cli.screen import console, print_json
    from ha_rag.http.document_wire import details_wire

    parts = list(_parts(listing, name))
    if as_json:
        print_json(_joined([details_wire(part) for part in parts]))
        return
    console().print(document_facts(parts[0]))
    for passage in (passage for part in parts for passage in part.passages):
        console().print()
        for line in passage_lines(passage):
            console().print(line)


def _parts(listing: DocumentList, name: str) -> Iterator[DocumentDetails]:
    """The document, part by part. Raises UnknownDocumentError."""
    part = listing.document(name, AT_ONCE)
    if part is None:
        raise UnknownDocumentError({name: ()})
    yield part
    while part is not None and part.after is not None:
        part = listing.document(name, AT_ONCE, part.after)
        if part is not None:
            yield part


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    texts = [text for part in parts for text in part["texts"]]
    return {**parts[0], "texts": texts, "next": None}
