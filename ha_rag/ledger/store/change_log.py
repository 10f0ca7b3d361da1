"""Reads the change log in Redis: a stream with an entry for every change of any circuit, written by the scripts.

Each poll begins with the last entry of the one before. If that entry is gone, the stream was trimmed or lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ha_rag.ledger.store.circuit_names import unescaped
from ha_rag.ledger.store.codec import text
from ha_rag.ledger.store.ledger import ChangeLog, LoggedChange

AT_ONCE = 200
"""Entries read by one command."""

EMPTY = "0-0"
"""The cursor while the stream is empty."""


async def read_log(client: Any, key: str, cursor: str | None, *, complete: bool) -> ChangeLog:
    """The entries after `cursor`; None: the first poll, which only finds the end of the stream."""
    if cursor is None:
        last = await client.xrevrange(key, count=1)
        return ChangeLog(text(last[0][0]) if last else EMPTY, gap=True, complete=complete)
    entries = await client.xrange(key, min=cursor, count=AT_ONCE)
    found = bool(entries) and text(entries[0][0]) == cursor
    if cursor != EMPTY and not found:
        return await read_log(client, key, None, complete=complete)
    fields = [fields for _, fields in entries[found:]]
    changes = tuple(change for change in map(_change, fields) if change is not None)
    end = text(entries[-1][0]) if entries else cursor
    more = len(entries) == AT_ONCE
    return ChangeLog(end, changes, gap=more and cursor == EMPTY, complete=complete, more=more)


def _change(fields: Mapping[Any, Any]) -> LoggedChange | None:
    """Decodes an entry; None for anything else: other clients may write the key."""
    entry = {text(name): text(value) for name, value in (fields or {}).items()}
    try:
        name = unescaped(entry["circuit"])
        return LoggedChange(name, int(entry["previous_epoch"]), int(entry["epoch"])) if name is not None else None
    except (KeyError, ValueError):
        return None
