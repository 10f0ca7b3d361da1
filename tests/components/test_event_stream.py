import pytest

from ha_rag.components.event_stream import EventStreamReader, ServerEvent


def read(*pieces):
    reader = EventStreamReader()
    return [event.data for piece in pieces for event in reader.feed(piece)]


def ended(*pieces):
    reader = EventStreamReader()
    return [event for piece in pieces for event in reader.feed(piece)] + reader.end()


def test_each_event_is_returned_when_it_is_complete():
    reader = EventStreamReader()
    assert reader.feed(b"data: one\n") == []
    assert reader.feed(b"\ndata: two\n\n") == [ServerEvent(b"one"), ServerEvent(b"two")]


def test_bytes_may_arrive_one_by_one_and_split_characters():
    stream = "data: größer\n\ndata: [DONE]\n\n".encode()
    assert read(*(stream[i : i + 1] for i in range(len(stream)))) == ["größer".encode(), b"[DONE]"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_all_line_endings_of_the_standard_are_accepted(end):
    assert read(b"data: a" + end + end + b"data:b" + end + end) == [b"a", b"b"]


def test_comments_and_ids_are_ignored():
    assert read(b": ping\n\nid: 7\nretry: 3\ndata: a\n\n") == [b"a"]


def test_an_event_has_its_name():
    assert ended(b"event: error\ndata: a\n\ndata: b\n\n") == [ServerEvent(b"a", "error"), ServerEvent(b"b")]


def test_a_field_called_error_is_an_event_of_that_name():
    assert ended(b"error: a\n\n") == [ServerEvent(b"a", "error")]


def test_several_data_lines_are_one_event():
    assert read(b"data: a\ndata: b\n\n") == [b"a\nb"]


@pytest.mark.parametrize("at", range(1, 22))
def test_line_breaks_of_two_characters_may_be_split(at):
    stream = b"data: a\r\ndata: b\r\n\r\n"
    assert read(stream[:at], stream[at:]) == [b"a\nb"]


def test_an_incomplete_event_is_not_returned():
    assert read(b"data: half") == []


@pytest.mark.parametrize("last", [b"data: a", b"data: a\n", b"data: a\r\n", b"data: a\n\n"])
def test_the_end_of_the_stream_completes_an_event(last):
    assert ended(last) == [ServerEvent(b"a")]


def test_a_byte_order_mark_is_skipped():
    assert read(b"\xef\xbb\xbfdata: a\n\n") == [b"a"]
