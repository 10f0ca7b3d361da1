"""Reads the change log in Redis: a stream with an entry for every change of any circuit, written by the scripts.

Each poll begins with the last entry of the one before. If that entry is gone, the stream was trimmed or lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.exceptions import ResponseError

from ha_rag.ledger.store.circuit_names import unescaped
from ha_rag.ledger.store.ledger import ChangeLog, LoggedChange
from ha_rag.ledger.store.refused_values import RefusedValues
from ha_rag.ledger.store.replaceable import read_or_delete
from ha_rag.ledger.store.validation import text, whole

AT_ONCE = 200
"""Entries read by one command."""

EMPTY = "0-0"
"""The cursor while the stream is empty."""

MARK = {"begun": "1"}
"""The first entry of a stream that a replica found empty."""


async def read_log(client: Any, key: str, cursor: str | None, refused: RefusedValues, *, complete: bool) -> ChangeLog:
    """The entries after `cursor`; None: the first poll, which only finds the end of the stream."""

    def told(why: str) -> None:
        refused.note("change_log", why)

    if cursor is None:
        last = await read_or_delete(client, key, told, lambda: client.xrevrange(key, count=1))
        end = text(last[0][0]) if last else await _begun(client, key)
        return ChangeLog(end, gap=True, complete=complete)
    entries = await read_or_delete(client, key, told, lambda: client.xrange(key, min=cursor, count=AT_ONCE))
    if entries is None:
        return await read_log(client, key, None, refused, complete=complete)
    found = bool(entries) and text(entries[0][0]) == cursor
    if cursor != EMPTY and not found:
        return await read_log(client, key, None, refused, complete=complete)
    fields = [fields for _, fields in entries[found:]]
    decoded = [_change(each) for each in fields if each != MARK]
    changes = tuple(change for change in decoded if change is not None)
    for _ in range(decoded.count(None)):
        refused.note("change_log", "an entry of another form")
    end = text(entries[-1][0]) if entries else cursor
    more = len(entries) == AT_ONCE
    return ChangeLog(end, changes, gap=more and cursor == EMPTY, complete=complete, more=more)


async def _begun(client: Any, key: str) -> str:
    """Adds an entry to an empty stream, so that its loss shows; returns its id."""
    try:
        return text(await client.xadd(key, MARK))
    except ResponseError:  # this replica may not write it
        return EMPTY


def _change(fields: Mapping[Any, Any]) -> LoggedChange | None:
    """Decodes an entry; None for anything else: other clients may write the key."""
    entry = {text(name): text(value) for name, value in (fields or {}).items()}
    try:
        name = unescaped(entry["circuit"])
        previous, epoch = whole("the previous epoch", entry["previous_epoch"]), whole("the epoch", entry["epoch"])
        return LoggedChange(name, previous, epoch) if name is not None else None
    except (KeyError, ValueError, AttributeError, TypeError):
        return None
