"""CacheStore: values that the replicas keep for one another and that may be lost at any time.

Each value has one of a fixed number of places, chosen by its key's digest, and a later value takes the place of an
earlier one. So a cache never has more values than places, whoever writes, without a list of its keys: one round trip
writes a value and one reads it, on a cluster too. Every value expires.

A value is stored as `1 <digest> <lifetime in ms>`, a line feed, and the body. Any client of Redis may have written it:
what no replica can have written raises ForeignValueError. A value of another key in the same place is only a miss.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.translation import translated
from ha_rag.ledger.store.validation import ForeignValueError, is_text, items_of, text, whole

FORM = "1"
MAX_LIFETIME_MS = 366 * 24 * 3600 * 1000
HEAD_BYTES = 128
"""More than the line before a body ever takes."""

_READ = """
local value = redis.call('MGET', KEYS[1])[1]
if not value then return {} end
if #value > tonumber(ARGV[1]) then return {'', -1} end
return {value, redis.call('PTTL', KEYS[1])}
"""
"""Reads a value with what is left of its life, in one round trip; of one that is too long only that there is one."""

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_DIGITS_OF_PLACE = 15


@dataclass(frozen=True, slots=True)
class CachedValue:
    """A value's body, and how many seconds ago it was stored, by the store's clock."""

    body: str
    age_s: float


class CacheStore(Protocol):
    """A cache. Both methods raise LedgerError. Safe across tasks of one event loop."""

    async def get(self, digest: str) -> CachedValue | None:
        """The value of a key's digest (SHA-256 in hexadecimal), or None. Raises ForeignValueError."""
        ...

    async def put(self, digest: str, body: str) -> None:
        """Keeps a value, in place of whatever has its place."""
        ...


class RedisCacheStore:
    """CacheStore in Redis. Does not close `client`.

    `kind`: the cache's name in keys. `places`: how many values it keeps at most. `max_bytes`: the longest body that a
    replica can have written. `ttl_ms`: after which a value expires.
    """

    def __init__(self, client: Any, namespace: str, kind: str, *, places: int, max_bytes: int, ttl_ms: int) -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._kind = kind
        self._places = places
        self._max_bytes = max_bytes
        self._ttl_ms = ttl_ms

    async def get(self, digest: str) -> CachedValue | None:
        with translated():
            reply = await self._client.eval(_READ, 1, self._key(digest), self._max_bytes + HEAD_BYTES)
        if not items_of(reply):
            return None
        value, left = items_of(reply, 2)
        stored, lifetime_ms, body = self._parsed(text(value))
        left_ms = whole("what is left of its lifetime", left, -1, lifetime_ms)
        if left_ms < 0:
            raise ForeignValueError("it never expires")
        return CachedValue(body, (lifetime_ms - left_ms) / 1000) if stored == digest else None

    async def put(self, digest: str, body: str) -> None:
        with translated():
            await self._client.set(self._key(digest), f"{FORM} {digest} {self._ttl_ms}\n{body}", px=self._ttl_ms)

    def _key(self, digest: str) -> str:
        return self._keys.cached(self._kind, place_of(digest, self._places))

    @staticmethod
    def _parsed(value: str) -> tuple[str, int, str]:
        head, newline, body = value.partition("\n")
        parts = head.split(" ")
        if not newline or len(parts) != 3 or parts[0] != FORM or not _DIGEST.match(parts[1]):
            raise ForeignValueError("it is too long, or does not begin with a form, a digest and a lifetime")
        if not is_text(body):
            raise ForeignValueError("it is not text")
        return parts[1], whole("its lifetime", parts[2], 1, MAX_LIFETIME_MS), body


def place_of(digest: str, places: int) -> int:
    """The place of a key among so many."""
    return int(digest[:_DIGITS_OF_PLACE], 16) % places
