import pytest

from ha_rag.components.event_stream import EventStreamReader
from ha_rag.errors import MalformedReplyError


def read(*pieces, max_bytes=10_000):
    reader = EventStreamReader(max_bytes)
    return [event for piece in pieces for event in reader.feed(piece)]


def test_each_event_is_returned_when_it_is_complete():
    reader = EventStreamReader(1000)
    assert reader.feed(b"data: one\n") == []
    assert reader.feed(b"\ndata: two\n\n") == [b"one", b"two"]


def test_bytes_may_arrive_one_by_one_and_split_characters():
    stream = "data: größer\n\ndata: [DONE]\n\n".encode()
    assert read(*(stream[i : i + 1] for i in range(len(stream)))) == ["größer".encode(), b"[DONE]"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_all_line_endings_of_the_standard_are_accepted(end):
    assert read(b"data: a" + end + end + b"data:b" + end + end) == [b"a", b"b"]


def test_comments_names_and_ids_are_ignored():
    assert read(b": ping\n\nevent: x\nid: 7\nretry: 3\ndata: a\n\n") == [b"a"]


def test_several_data_lines_are_one_event():
    assert read(b"data: a\ndata: b\n\n") == [b"a\nb"]


def test_an_incomplete_event_is_not_returned():
    assert read(b"data: half") == []


def test_a_stream_that_never_ends_is_refused():
    with pytest.raises(MalformedReplyError, match="max_reply_bytes"):
        read(*[b"data: again\n\n"] * 100, max_bytes=500)
