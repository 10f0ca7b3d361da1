"""Replies of any form and label, in pieces of any size."""

from __future__ import annotations

import pytest

from ha_rag.components.event_stream import ServerEvent
from ha_rag.components.reply_events import ReplyEvents, events_in
from ha_rag.errors import MalformedReplyError

STREAM = b"event: x\ndata: 1\n\n: ping\n\ndata: 2\n\n"
LABELS = ["text/event-stream", "application/json", "text/plain", "application/octet-stream", ""]


def read(label: str, *pieces: bytes, max_bytes: int = 1000) -> list[ServerEvent]:
    reader = ReplyEvents(label, max_bytes, label)
    return [event for piece in pieces for event in reader.feed(piece)] + reader.end()


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(
    ("body", "events"),
    [
        (STREAM, [ServerEvent(b"1", "x"), ServerEvent(b"2")]),
        (b"\xef\xbb\xbf" + STREAM, [ServerEvent(b"1", "x"), ServerEvent(b"2")]),
        (b"\n\n" + STREAM, [ServerEvent(b"1", "x"), ServerEvent(b"2")]),
        (b": comment\n\ndata: 1", [ServerEvent(b"1")]),
        (b"data: 1", [ServerEvent(b"1")]),
        (b'{"a":\n\n1}', [ServerEvent(b'{"a":\n\n1}')]),
        (b'\xef\xbb\xbf {"a": 1}\n', [ServerEvent(b'{"a": 1}')]),
        (b'[{"a": 1}]data: [DONE]\n\n', [ServerEvent(b'[{"a": 1}]'), ServerEvent(b"[DONE]")]),
        (b'{"a": 1}\n{"a": 2}\n', [ServerEvent(b'{"a": 1}'), ServerEvent(b'{"a": 2}')]),
        (b'{"a": "half', [ServerEvent(b'{"a": "half')]),
        (b"", []),
        (b" \n", []),
    ],
    ids=str,
)
def test_the_bytes_decide_whatever_the_label_and_however_they_are_split(
    label: str, body: bytes, events: list[ServerEvent]
) -> None:
    assert read(label, body) == events
    assert read(label, *(body[n : n + 1] for n in range(len(body)))) == events
    for n in range(len(body)):
        assert read(label, body[:n], body[n:]) == events


def test_the_events_of_a_stream_are_not_held_back() -> None:
    reader = ReplyEvents("application/json", 1000, "")
    assert reader.feed(b"data: 1\n\nda") == [ServerEvent(b"1")]
    assert reader.feed(b"ta: 2\n\n") == [ServerEvent(b"2")]


@pytest.mark.parametrize("label", ["text/html", "text/plain", ""])
def test_what_is_neither_is_refused_with_its_label(label: str) -> None:
    with pytest.raises(MalformedReplyError, match="not an event stream"):
        read(label, b"<html>Bad Gateway</html>")


@pytest.mark.parametrize("body", [STREAM, b'{"a": 1}'])
def test_a_reply_that_is_too_long_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedReplyError, match="max_reply_bytes"):
        read("text/event-stream", body, max_bytes=len(body) - 1)
    assert read("text/event-stream", body, max_bytes=len(body))


def test_other_text_of_a_complete_body_is_one_event() -> None:
    assert list(events_in(b"<html>")) == [ServerEvent(b"<html>")]
