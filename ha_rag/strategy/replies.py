"""What a component must have returned to have answered. A user's own may return anything."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ha_rag.errors import MalformedReplyError
from ha_rag.messages import Embedding, Generation, Passage


def usable_embedding(reply: object) -> Embedding:
    """`reply`, if it is an embedding of finite numbers, as wide as its space. Raises MalformedReplyError."""
    if not isinstance(reply, Embedding):
        raise MalformedReplyError(f"an Embedding was expected, not {type(reply).__name__}")
    vector, space = reply.vector, reply.space
    if not _is_vector(vector):
        raise MalformedReplyError("the vector is not a one-dimensional numpy array of floats")
    if space is not None and vector.shape[0] != space.dimension:
        raise MalformedReplyError(f"the vector has {vector.shape[0]} numbers, its space {space} has {space.dimension}")
    squared_length = float(vector.dot(vector))
    if not math.isfinite(squared_length):
        raise MalformedReplyError("the vector holds numbers that are not finite")
    # A zero vector is near everything and nothing, whoever made it: without a space, it is searched for by words.
    return reply if squared_length > 0.0 else Embedding(vector, None)


def usable_passages(reply: object, top_k: int) -> list[Passage]:
    """The first `top_k` of `reply`, if all of it are passages. Raises MalformedReplyError."""
    if isinstance(reply, str) or not isinstance(reply, Sequence) or not all(isinstance(p, Passage) for p in reply):
        raise MalformedReplyError(f"a list of passages was expected, not {type(reply).__name__}")
    return list(reply[:top_k])


def usable_generation(reply: object) -> Generation:
    """`reply`, if it is a generation with a text. Raises MalformedReplyError."""
    if not isinstance(reply, Generation):
        raise MalformedReplyError(f"a Generation was expected, not {type(reply).__name__}")
    if not _is_written(reply.text):
        raise MalformedReplyError("the answer is empty")
    return reply


def _is_vector(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "f"


def _is_written(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())
