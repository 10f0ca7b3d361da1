"""The measure of a body before it is parsed, however it is cut into pieces."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.http.json_values import ValueCount

LEAVES = st.none() | st.booleans() | st.integers() | st.text('a"\\[{,:}]\n\té😀')
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text('a"\\[,'), inner), max_leaves=30)


def counted(text: bytes, *cuts: int) -> int:
    count = ValueCount()
    edges = [0, *sorted(cuts), len(text)]
    for begin, end in pairwise(edges):
        count.add(text[begin:end])
    return count.total


def brackets_and_commas(value: object) -> int:
    if not isinstance(value, dict | list):
        return 0
    inner = list(value.values()) if isinstance(value, dict) else value
    return 1 + max(0, len(inner) - 1) + sum(map(brackets_and_commas, inner))


def values_in(value: object) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return 1 + sum(map(values_in, inner))


@given(VALUES, st.booleans(), st.lists(st.integers(0, 200), max_size=8))
def test_what_stands_in_texts_does_not_count_wherever_the_pieces_end(value, escaped, cuts):
    text = json.dumps(value, ensure_ascii=escaped).encode()

    total = counted(text, *(cut for cut in cuts if cut <= len(text)))

    assert total == brackets_and_commas(value)
    assert values_in(value) <= 2 * total + 1


@pytest.mark.parametrize(
    ("text", "total"),
    [
        (b"", 0),
        (b"[[[[", 4),
        (b'{"a": "[[[[', 1),
        (b'"\\\\",[', 2),
        (b'"\\\\\\",[', 0),
        (b'"\\\\\\\\",[', 2),
        (b"\\\\,", 1),
    ],
)
def test_what_is_not_json_is_counted_too(text, total):
    assert counted(text) == total
    assert counted(text, *range(len(text))) == total
