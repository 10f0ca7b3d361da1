"""`ha-rag forget`: removes documents from the index itself; replicas that serve it notice by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ha_rag.cli.options import Config, Json
from ha_rag.cli.trouble import CommandError
from ha_rag.errors import UnknownDocumentError

if TYPE_CHECKING:
    from ha_rag.index.removal import RemovedDocument


def forget(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of documents, as `ha-rag documents` lists.")],
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Remove documents from the index. If one of the ids is unknown, nothing is removed, and the exit status is 1."""
    from ha_rag.cli.screen import console, print_json, styled
    from ha_rag.cli.settings_here import settings_here
    from ha_rag.index.removal import remove_documents
    from ha_rag.private_folder import keep_files_private

    settings = settings_here(config)
    keep_files_private(settings.index_folder)
    try:
        removed = remove_documents(settings.index_folder, ids)
    except UnknownDocumentError as error:
        raise CommandError(f"{error}; nothing was removed") from None
    if as_json:
        print_json({"removed": [{"document": one.id, "file": _path(one)} for one in removed]})
        return
    for one in removed:
        console().print(styled(_told(one)))


def _path(removed: RemovedDocument) -> str | None:
    return None if removed.file is None else str(removed.file)


def _told(removed: RemovedDocument) -> str:
    if removed.file is None:
        return f"removed: {removed.id}"
    return (
        f"removed: {removed.id}; its file {removed.file} is still there, and the next ingest of it brings the document "
        "back: delete it, or name it in .haragignore"
    )
