"""Limits of what a reply of Redis may hold, checked before it is parsed.

A server, or whoever answers in its place, may announce any number of elements or bytes, and a parser may reserve memory
for all of them. `LimitedParser` reads the length prefixes (RESP2 and RESP3) as they arrive, and ends the connection at
one that no reply to a replica has.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

from typing import Any

from redis.asyncio.connection import DefaultParser
from redis.exceptions import InvalidResponse

MAX_ELEMENTS = 1_000_000
"""Values that one reply announces, those in nested lists included."""

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of one reply."""

MAX_LINE = 65_536
"""Bytes of a simple string, an error, a number or a length prefix."""

_BLOBS = b"$=!"
_PREFIXED = _BLOBS + b"*~%>|"
"""First bytes of the lines that hold a length: of a text, or of a list or map."""

_LONGEST = 22
"""A length has at most 19 digits."""


class ReplyTooLargeError(InvalidResponse):
    """A reply beyond a limit; nothing of it was parsed, and its connection is closed."""


class ReplyScanner:
    """Follows the length prefixes in a stream of replies. Raises ReplyTooLargeError beyond a limit."""

    def __init__(self) -> None:
        self._line = b""
        self._blob_left = 0
        self._values = self._bytes = 0

    def begin_reply(self) -> None:
        """Another reply is read: the limits apply anew."""
        self._values = self._bytes = 0

    def feed(self, data: bytes) -> None:
        """Checks the next bytes of the stream."""
        self._bytes += len(data)
        self._check(self._bytes, MAX_BYTES, "bytes")
        at = min(self._blob_left, len(data))
        self._blob_left -= at
        size = len(data)
        while at < size:
            end = data.find(b"\n", at)
            if end < 0:
                self._line += data[at:]
                self._check(len(self._line), MAX_LINE, "bytes in a line")
                return
            line = data[at:end]
            if self._line:
                line, self._line = self._line + line, b""
            at = end + 1
            if line[:1] in _PREFIXED and line:
                at += self._announced(line)
                if at > size:
                    self._blob_left = at - size

    def _announced(self, line: bytes) -> int:
        """Bytes until the next line, for a line that begins with a length."""
        number = int(line[1:]) if line[1:].strip().isdigit() and len(line) < _LONGEST else _unusual(line)
        if line[:1] in _BLOBS:
            self._check(number, MAX_BYTES, "bytes")
            return number + 2 if number >= 0 else 0
        self._values += max(0, number)
        self._check(self._values, MAX_ELEMENTS, "values")
        return 0

    @staticmethod
    def _check(number: int, most: int, what: str) -> None:
        if number > most:
            raise ReplyTooLargeError(f"a reply of more than {most} {what}")


def _unusual(line: bytes) -> int:
    """The number in a length prefix that is none of few digits: -1, for null. Streamed lengths ("?"), which Redis does
    not send, are refused.
    """
    if line[1:].strip() == b"-1":
        return -1
    raise InvalidResponse(f"a length that is no number: {line[:20]!r}")


class LimitedParser(DefaultParser):  # type: ignore[misc,valid-type]  # a variable: which parser depends on hiredis
    """redis-py's parser behind a `ReplyScanner`."""

    _stream: Any

    def on_connect(self, connection: Any) -> None:
        super().on_connect(connection)
        self._scanner = ReplyScanner()
        self._stream = _ScannedStream(self._stream, self._scanner)

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """The next reply. Raises ReplyTooLargeError beyond a limit; redis-py then drops the connection."""
        self._scanner.begin_reply()
        return await super().read_response(*args, **options)


class _ScannedStream:
    """The stream of a connection, as the parsers use it."""

    def __init__(self, stream: Any, scanner: ReplyScanner) -> None:
        self._plain, self._scanner = stream, scanner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)

    async def read(self, size: int) -> bytes:
        """As of a StreamReader."""
        data: bytes = await self._plain.read(size)
        self._scanner.feed(data)
        return data

    async def readline(self) -> bytes:
        """As of a StreamReader."""
        line: bytes = await self._plain.readline()
        self._scanner.feed(line)
        return line

    async def readexactly(self, size: int) -> bytes:
        """As of a StreamReader."""
        data: bytes = await self._plain.readexactly(size)
        self._scanner.feed(data)
        return data
