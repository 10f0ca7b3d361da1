"""Parses server-sent events from bytes that arrive in arbitrary pieces (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

from ha_rag.errors import MalformedReplyError


class EventStreamReader:
    """Buffers bytes and returns the data of each complete event. For one stream, and one task at a time.

    `max_bytes`: the longest stream. Event names, ids and comments are ignored.
    """

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of the events that `piece` completes. Raises MalformedReplyError if the stream is too long."""
        self._left -= len(piece)
        if self._left < 0:
            raise MalformedReplyError("the stream is longer than max_reply_bytes")
        lines = (self._rest + piece).splitlines(keepends=True)
        self._rest = lines.pop() if lines and not lines[-1].endswith((b"\n", b"\r")) else b""
        return [event for line in lines if (event := self._line(line.rstrip(b"\r\n"))) is not None]

    def _line(self, line: bytes) -> bytes | None:
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
            return None
        if line or not self._data:
            return None
        event, self._data = b"\n".join(self._data), []
        return event
