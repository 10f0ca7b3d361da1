"""An embeddings response is used only if it is valid."""

import base64

import numpy as np
import orjson
import pytest

from ha_rag.components.embedders.embeddings_reply import vectors_in
from ha_rag.errors import MalformedReplyError


def body(*embeddings, indexes=None):
    items = [{"embedding": embedding} for embedding in embeddings]
    for item, index in zip(items, indexes or (), strict=False):
        item["index"] = index
    return orjson.dumps({"object": "list", "data": items})


def base64_of(*numbers):
    return base64.b64encode(np.array(numbers, dtype="<f4").tobytes()).decode()


@pytest.mark.parametrize("embedding", [[3.0, 4.0], [3, 4], base64_of(3.0, 4.0)])
def test_a_vector_is_returned_with_unit_length(embedding):
    (vector,) = vectors_in(body(embedding), count=1, dimension=2)
    assert vector.tolist() == pytest.approx([0.6, 0.8])
    assert vector.dtype == np.float32


def test_vectors_are_sorted_by_index():
    first, second = vectors_in(body([0.0, 1.0], [1.0, 0.0], indexes=[1, 0]), count=2, dimension=2)
    assert (first.tolist(), second.tolist()) == ([1.0, 0.0], [0.0, 1.0])


def test_vectors_without_indexes_keep_their_order():
    first, _ = vectors_in(body([0.0, 1.0], [1.0, 0.0]), count=2, dimension=2)
    assert first.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("indexes", [[0, 0], [1, 2], [0], ["0", "1"], [None, None], [0.0, 1.0]])
def test_ambiguous_indexes_are_malformed(indexes):
    with pytest.raises(MalformedReplyError, match="indexes"):
        vectors_in(body([0.0, 1.0], [1.0, 0.0], indexes=indexes), count=2, dimension=2)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"<!doctype html><html>",
        b'{"data": [{"embedding": [0.1, 0.',
        b"null",
        b"[]",
        b"{}",
        b'{"data": null}',
        b'{"data": {}}',
        b'{"data": [null]}',
        b'{"data": [[0.6, 0.8]]}',
        b'{"data": []}',
        b'{"data": [{}]}',
        b'{"data": [{"embedding": null}]}',
        b'{"data": [{"embedding": []}]}',
        b'{"data": [{"embedding": [NaN, 0.8]}]}',
        b'{"data": [{"embedding": [Infinity, 0.8]}]}',
        b'{"data": [{"embedding": [null, 0.8]}]}',
        b'{"data": [{"embedding": [1e999, 0.8]}]}',
        b'{"data": [{"embedding": [1e300, 1e300]}]}',
        b'{"data": [{"embedding": ["a", "b"]}]}',
        b'{"data": [{"embedding": [[0.6, 0.8]]}]}',
        b'{"data": [{"embedding": [[0.6], 0.8]}]}',
        b'{"data": [{"embedding": {"0": 0.6, "1": 0.8}}]}',
        b'{"data": [{"embedding": 0.6}]}',
        b'{"data": [{"embedding": "not base64!"}]}',
        b'{"data": [{"embedding": "AAA="}]}',
        b'{"data": [{"embedding": ""}]}',
        b'{"data": [{"embedding": [0.0, 0.0]}]}',
        b'{"data": [{"embedding": [0.6]}]}',
        b'{"data": [{"embedding": [0.6, 0.8, 0.0]}]}',
        b'{"data": [{"embedding": [0.6, 0.8]}, {"embedding": [0.6, 0.8]}]}',
        b'\xff\xfe{"data": []}',
    ],
)
def test_an_unusable_response_is_malformed(reply):
    with pytest.raises(MalformedReplyError):
        vectors_in(reply, count=1, dimension=2)


@pytest.mark.parametrize("numbers", [(np.nan, 0.8), (np.inf, 0.8), (0.0, 0.0), (0.6,), (0.6, 0.8, 0.0)])
def test_base64_does_not_hide_unusable_numbers(numbers):
    with pytest.raises(MalformedReplyError):
        vectors_in(body(base64_of(*numbers)), count=1, dimension=2)
