"""A component whose reply is not usable has failed."""

from __future__ import annotations

import numpy as np
import pytest

from ha_rag.errors import MalformedReplyError
from ha_rag.messages import Embedding, Generation, Space
from ha_rag.strategy.replies import usable_embedding, usable_generation, usable_passages
from tests.strategy.scripted import passages

SPACE = Space("m", "", 3)


@pytest.mark.parametrize(
    "reply",
    [
        None,
        [0.1, 0.2, 0.3],
        Embedding(np.ones(4, np.float32), SPACE),
        Embedding(np.ones((1, 3), np.float32), SPACE),
        Embedding(np.array([1.0, np.nan, 0.0], np.float32), SPACE),
        Embedding(np.array([1.0, np.inf, 0.0], np.float32), SPACE),
        Embedding(np.array(["a", "b", "c"]), SPACE),
        Embedding(np.ones(3, np.float32), SPACE, -0.1),
        Embedding(np.ones(3, np.float32), SPACE, 1.5),
        Embedding(np.ones(3, np.float32), SPACE, float("nan")),
        Embedding(np.ones(3, np.float32), SPACE, "0.5"),  # type: ignore[arg-type]  # what a careless component might do
        Embedding([1.0, 0.0, 0.0], SPACE),  # type: ignore[arg-type]  # what a careless component might do
    ],
)
def test_an_invalid_embedding_is_a_failure(reply: object) -> None:
    with pytest.raises(MalformedReplyError):
        usable_embedding(reply)


def test_a_zero_vector_has_no_space() -> None:
    assert usable_embedding(Embedding(np.zeros(3, np.float32), SPACE)).space is None
    good = Embedding(np.array([1.0, 0.0, 0.0], np.float32), SPACE)
    assert usable_embedding(good) is good


def test_a_weight_may_be_a_number_of_numpy() -> None:
    weighty = Embedding(np.array([1.0, 0.0, 0.0], np.float32), SPACE, np.float32(0.25))  # type: ignore[arg-type]  # what numpy returns
    assert usable_embedding(weighty).weight == 0.25


@pytest.mark.parametrize("reply", [None, "text", ["text"], [None], {"a": 1}, 5])
def test_a_reply_that_is_not_a_list_of_passages_is_a_failure(reply: object) -> None:
    with pytest.raises(MalformedReplyError):
        usable_passages(reply, 3)


def test_extra_passages_are_cut_and_an_empty_list_is_valid() -> None:
    assert usable_passages(passages(5), 2) == passages(2)
    assert usable_passages([], 2) == []


@pytest.mark.parametrize("reply", [None, "text", Generation(""), Generation(" \n"), Generation(None)])  # type: ignore[arg-type]  # likewise
def test_an_answer_without_text_is_a_failure(reply: object) -> None:
    with pytest.raises(MalformedReplyError):
        usable_generation(reply)
