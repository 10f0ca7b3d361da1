"""JSON as services send it."""

from __future__ import annotations

import math

import pytest

from ha_rag.components.lenient_json import documents_in, read_json


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('{"a": "größer"}'.encode("utf-16"), {"a": "größer"}),
        (b'{"a": "\\ud83d"}', {"a": "\ud83d"}),
        (b'{"a": "x\ny"}', {"a": "x\ny"}),
        (b'{"a": "\xff"}', {"a": "\ufffd"}),
        (b'{"a": Infinity}', {"a": math.inf}),
        (b' \r\n{"a": 1} ', {"a": 1}),
        (b'{"a": 1}\n\ndata: [DONE]\n\n', {"a": 1}),
        (b"[1]\x00", [1]),
    ],
)
def test_what_services_send_is_read(body: bytes, value: object) -> None:
    assert read_json(body) == value


def test_nan_is_read() -> None:
    read = read_json(b'{"a": NaN}')
    assert isinstance(read, dict)
    assert math.isnan(read["a"])


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a": 1', b"<html>", b"[" * 200_000, b'{"a":' + b"9" * 5000 + b"}", b"\xff"]
)
def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(body)


@pytest.mark.parametrize(
    ("body", "documents", "rest"),
    [
        (b'{"a": 1}', [b'{"a": 1}'], b""),
        (b'{"a": 1}\n[2]\n', [b'{"a": 1}', b"[2]"], b""),
        (b'{"a": 1}\ndata: [DONE]', [b'{"a": 1}'], b"data: [DONE]"),
        (b'{"a": 1', [], b'{"a": 1'),
        (b"<html>", [], b"<html>"),
        (b"", [], b""),
        (b'\xef\xbb\xbf{"a": "\\ud83d"}', [b'{"a": "\\ud83d"}'], b""),
    ],
)
def test_documents_and_what_follows_them(body: bytes, documents: list[bytes], rest: bytes) -> None:
    assert documents_in(body) == (documents, rest)


def test_many_documents_take_time_in_proportion() -> None:
    documents, rest = documents_in(b'{"a":1}\n' * 50_000)
    assert (len(documents), rest) == (50_000, b"")
