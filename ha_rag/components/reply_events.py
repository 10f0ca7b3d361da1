"""The events of a reply, whether it is a stream of them or one JSON document, and whatever it is labelled as."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from ha_rag.components.event_stream import EventStreamReader, ServerEvent
from ha_rag.components.lenient_json import documents_in, is_strict_json
from ha_rag.errors import MalformedReplyError

EVENT_STREAM = "text/event-stream"
_BLANK = b" \t\r\n\xef\xbb\xbf"
_FIELD = re.compile(rb"(?:data|event|id|retry|error)?:")
_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b"error:")
_DOCUMENTS = (b"{", b"[", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def events_in(body: bytes) -> Iterator[ServerEvent]:
    """The events of a complete body. JSON documents are events, one or several in a row; other text is one event."""
    if is_strict_json(body):
        yield ServerEvent(body)
        return
    documents, rest = documents_in(body)
    yield from (ServerEvent(document) for document in documents)
    if _FIELD.match(rest):
        reader = EventStreamReader()
        yield from reader.feed(rest)
        yield from reader.end()
    elif rest:
        yield ServerEvent(rest)


class ReplyEvents:
    """Reads the events of a reply from bytes that arrive in arbitrary pieces. For one reply.

    What the bytes are decides, not their label: services label streams as JSON or text, and JSON as a stream. A
    document is read once it is complete. `label`: the content type. `max_bytes`: the longest reply. `shown`: the label
    for messages. Raises MalformedReplyError for a longer reply, and for one that is neither.
    """

    def __init__(self, label: str, max_bytes: int, shown: str) -> None:
        self._is_labelled = label == EVENT_STREAM
        self._is_json = "json" in label
        self._shown = shown
        self._left = max_bytes
        self._pieces: list[bytes] = []
        self._stream: EventStreamReader | None = None
        self._is_document = False

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """The events that `piece` completes."""
        self._left -= len(piece)
        if self._left < 0:
            raise MalformedReplyError("the stream is longer than max_reply_bytes")
        if self._stream is not None:
            return self._stream.feed(piece)
        self._pieces.append(piece)
        return [] if self._is_document else self._sniffed()

    def end(self) -> list[ServerEvent]:
        """The events that the end of the reply completes."""
        if self._stream is not None:
            return self._stream.end()
        body = b"".join(self._pieces)
        return list(events_in(body)) if body.strip(_BLANK) else []

    def _sniffed(self) -> list[ServerEvent]:
        body = b"".join(self._pieces)
        start = body.lstrip(_BLANK)
        if _FIELD.match(start) or (self._is_labelled and not _may_be_field(start) and not start.startswith(_DOCUMENTS)):
            self._stream, self._pieces = EventStreamReader(), []
            return self._stream.feed(body)
        if not _may_be_field(start):
            self._is_document = self._is_json or start.startswith(_DOCUMENTS)
            if not self._is_document:
                raise self._neither()
        return []

    def _neither(self) -> MalformedReplyError:
        return MalformedReplyError(f"the response is {self._shown}, not an event stream")


def _may_be_field(start: bytes) -> bool:
    """Whether more bytes may complete the first field of a stream."""
    return any(field.startswith(start) for field in _FIELDS)
