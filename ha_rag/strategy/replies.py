"""Checks of components' replies: a user's own component may return anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import TypeGuard

import numpy as np

from ha_rag.errors import MalformedReplyError
from ha_rag.messages import Embedding, Generation, Passage


def usable_embedding(reply: object) -> Embedding:
    """`reply`, if it is an embedding of finite numbers with its space's dimension. Raises MalformedReplyError."""
    if not isinstance(reply, Embedding):
        raise MalformedReplyError(f"expected an Embedding, not {type(reply).__name__}")
    vector, space = reply.vector, reply.space
    if not _is_vector(vector):
        raise MalformedReplyError("the vector must be a one-dimensional numpy array of floats")
    if space is not None and vector.shape[0] != space.dimension:
        raise MalformedReplyError(
            f"the vector has {vector.shape[0]} dimensions, its space {space} has {space.dimension}"
        )
    squared_length = float(vector.dot(vector))
    if not math.isfinite(squared_length):
        raise MalformedReplyError("the vector contains numbers that are not finite")
    if not _is_share(reply.weight):
        raise MalformedReplyError(f"the weight is {reply.weight!r}; it must be from 0 to 1")
    # A zero vector has no neighbours: without a space, retrievers fall back to keyword search.
    return reply if squared_length > 0.0 else Embedding(vector, None)


def usable_passages(reply: object, top_k: int) -> list[Passage]:
    """The first `top_k` of `reply`, if it is a list of passages. Raises MalformedReplyError."""
    if isinstance(reply, str) or not isinstance(reply, Sequence) or not all(isinstance(p, Passage) for p in reply):
        raise MalformedReplyError(f"expected a list of passages, not {type(reply).__name__}")
    return list(reply[:top_k])


def usable_scores(reply: object, count: int) -> list[float]:
    """`reply`, if it is a list of `count` finite numbers. Raises MalformedReplyError."""
    if isinstance(reply, str) or not isinstance(reply, Sequence):
        raise MalformedReplyError(f"expected a list of scores, not {type(reply).__name__}")
    if len(reply) != count:
        raise MalformedReplyError(f"there are {len(reply)} scores for {count} passages")
    scores = [float(score) for score in reply if _is_finite_number(score)]
    if len(scores) != count:
        raise MalformedReplyError("the scores are not all finite numbers")
    return scores


def usable_generation(reply: object) -> Generation:
    """`reply`, if it is a generation with text. Raises MalformedReplyError."""
    if not isinstance(reply, Generation):
        raise MalformedReplyError(f"expected a Generation, not {type(reply).__name__}")
    if not _is_text(reply.text):
        raise MalformedReplyError("the answer is empty")
    if not isinstance(reply.finish_reason, str):
        raise MalformedReplyError(f"finish_reason must be a string, not {type(reply.finish_reason).__name__}")
    return reply


def _is_vector(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "f"


def _is_share(value: object) -> bool:
    return _is_finite_number(value) and 0.0 <= value <= 1.0


def _is_finite_number(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _is_text(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())
