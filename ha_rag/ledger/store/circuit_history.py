"""CircuitHistory: reads one circuit's stream of events, and skips entries that no replica can have written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from ha_rag.ledger.store import codec
from ha_rag.ledger.store.ledger import StreamEntry
from ha_rag.ledger.store.refused_values import RefusedValues
from ha_rag.ledger.store.replaceable import read_or_delete
from ha_rag.ledger.store.validation import ForeignValueError, text

PAGES = 20
"""Pages that one read skips if all their entries are foreign: more than a stream keeps."""


class CircuitHistory:
    """The stream `key` of `circuit`. Raises redis-py's exceptions unchanged."""

    def __init__(self, client: Any, key: str, circuit: str, refused: RefusedValues) -> None:
        self._client, self._key, self._circuit, self._refused = client, key, circuit, refused

    async def after(self, entry_id: str, limit: int) -> list[StreamEntry]:
        """At most `limit` entries after an id ("-": from the beginning), oldest first."""
        for _ in range(PAGES):
            start = "-" if entry_id == "-" else f"({entry_id}"
            entries = await self._read(partial(self._client.xrange, self._key, min=start, count=limit))
            found = self.decoded(entries or ())
            if found or not entries or len(entries) < limit:
                return found
            entry_id = text(entries[-1][0])
        return []

    async def latest(self, limit: int) -> list[StreamEntry]:
        """The last `limit` entries, oldest first."""
        entries = await self._read(partial(self._client.xrevrange, self._key, count=limit))
        return self.decoded(reversed(entries or ()))

    async def _read(self, read: Callable[[], Awaitable[Any]]) -> Any:
        return await read_or_delete(self._client, self._key, self._told, read)

    def _told(self, why: str) -> None:
        self._refused.note("event", f"{self._circuit}: {why}")

    def decoded(self, entries: Iterable[Any]) -> list[StreamEntry]:
        """The entries, except foreign ones, which are counted."""
        found = []
        for entry_id, entry in entries:
            try:
                if entry:
                    found.append(codec.event(self._circuit, entry_id, entry))
            except (ForeignValueError, AttributeError, TypeError) as error:
                self._refused.note("event", f"{self._circuit}: {error}")
        return found
