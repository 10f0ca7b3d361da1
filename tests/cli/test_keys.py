"""The bytes of a terminal as keys."""

from __future__ import annotations

import pytest

from ha_rag.cli.key_decoder import KeyDecoder

FED = [
    (b"q", ["q"]),
    (b"jk", ["j", "k"]),
    (b"\r", ["enter"]),
    (b"\n", ["enter"]),
    (b"\x7f\x08", ["backspace", "backspace"]),
    (b"\x15", ["clear"]),
    (b"\x1b[A\x1b[B", ["up", "down"]),
    (b"\x1bOA\x1bOB", ["up", "down"]),
    (b"\x1b[C\x1b[3~\x1b[1;5Aq", ["q"]),
    ("ü東".encode(), ["ü", "東"]),
    (b"\x01\x07", []),
    (b"\xff", ["\ufffd"]),
]


@pytest.mark.parametrize(("content", "keys"), FED)
def test_keys_have_names(content, keys):
    assert KeyDecoder().fed(content) == keys


@pytest.mark.parametrize("content", ["ü".encode(), b"\x1b[A", b"\x1bOB", "東".encode()])
def test_bytes_that_come_one_by_one_are_one_key(content):
    keys, found = KeyDecoder(), []
    for byte in content:
        found += keys.fed(bytes([byte]))

    assert found == KeyDecoder().fed(content)
    assert not keys.awaits_more


def test_an_escape_is_a_key_only_once_nothing_follows_it():
    keys = KeyDecoder()

    assert keys.fed(b"\x1b") == []
    assert keys.awaits_more
    assert keys.fed(b"") == ["escape"]
