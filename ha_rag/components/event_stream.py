"""Parses server-sent events from bytes that arrive in arbitrary pieces (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

from dataclasses import dataclass

ERROR = "error"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. `name`: its type, "" if it has none. `data`: its lines, joined by line breaks."""

    data: bytes
    name: str = ""


class EventStreamReader:
    """Buffers bytes and returns each complete event. For one stream, and one task at a time.

    Ids and comments are ignored. A field `error`, as llama.cpp sends it, is an event of that name, and a line of JSON
    without a field is an event. Unlike the standard, an event at the end of the stream counts without a blank line
    after it: many services omit that.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._name = ""
        self._begun = False
        self._after_return = False

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """The events that `piece` completes."""
        if not piece:
            return []
        if self._after_return:  # the line break was split between two pieces
            piece = piece.removeprefix(b"\n")
        self._after_return = piece.endswith(b"\r")
        lines = (self._rest + piece).splitlines(keepends=True)
        self._rest = lines.pop() if lines and not lines[-1].endswith((b"\n", b"\r")) else b""
        return [event for line in lines if (event := self._line(line.rstrip(b"\r\n"))) is not None]

    def end(self) -> list[ServerEvent]:
        """The event that the end of the stream completes, if there is one."""
        last, self._rest = self._rest, b""
        found = [self._line(last), self._line(b"")]
        return [event for event in found if event is not None]

    def _line(self, line: bytes) -> ServerEvent | None:
        if not self._begun:
            line, self._begun = line.removeprefix(_BOM), True
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._name = value.decode(errors="replace").strip()
        elif name == b"error":
            self._name = ERROR
            self._data.append(value)
        elif line.startswith(b'{"'):
            return ServerEvent(line)  # an error that a proxy put into the stream without a field
        if line or not self._data:
            return None
        event = ServerEvent(b"\n".join(self._data), self._name)
        self._data, self._name = [], ""
        return event
