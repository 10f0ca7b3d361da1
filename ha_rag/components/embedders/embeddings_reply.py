"""Reads the reply of an `/embeddings` endpoint, and believes nothing in it that has not been looked at."""

from __future__ import annotations

import binascii
from typing import Any

import numpy as np
import orjson

from ha_rag.components.refusals import no_json
from ha_rag.components.usage import note_usage
from ha_rag.components.vectors import unit
from ha_rag.errors import MalformedReplyError
from ha_rag.messages import Vector


def vectors_in(body: bytes, count: int, dimension: int, secret: str | None = None) -> list[Vector]:
    """The `count` vectors of `dimension` numbers in the reply, in the order of the texts, each of length one.

    Numbers may be written as a list or as base64 of little-endian float32 (what `encoding_format` asks for).
    Raises MalformedReplyError: no JSON, another shape, another count, another dimension, NaN, infinite, all zero.
    `secret`: what no error may repeat, even where the service does.
    """
    items = _items(body, secret)
    if len(items) != count:
        raise MalformedReplyError(f"answered with {len(items)} vectors for {count} texts")
    return [_vector(item.get("embedding"), dimension) for item in _in_order(items)]


def _items(body: bytes, secret: str | None) -> list[dict[str, Any]]:
    try:
        reply = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MalformedReplyError(no_json(body, secret)) from None
    items = reply.get("data") if isinstance(reply, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise MalformedReplyError("the reply has no list of vectors under `data`")
    note_usage(reply)
    return items


def _in_order(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By their `index`, which a service may give in any order; in the order given where it gives none."""
    if len(items) == 1 or not any("index" in item for item in items):
        return items
    by_index = {index: item for item in items if type(index := item.get("index")) is int}
    if sorted(by_index) != list(range(len(items))):
        raise MalformedReplyError("the vectors' indexes are not 0, 1, 2 ... once each")
    return [by_index[n] for n in range(len(items))]


def _vector(numbers: object, dimension: int) -> Vector:
    values = _decoded(numbers) if isinstance(numbers, str) else _listed(numbers)
    if values.shape != (dimension,):
        raise MalformedReplyError(f"answered with a vector of shape {values.shape}, not ({dimension},)")
    vector = unit(values)
    if vector is None:
        raise MalformedReplyError("answered with a vector that is all zero, or has NaN or infinite numbers in it")
    return vector


def _decoded(text: str) -> np.ndarray[Any, Any]:
    try:
        return np.frombuffer(binascii.a2b_base64(text, strict_mode=True), dtype="<f4")
    except (binascii.Error, ValueError):
        raise MalformedReplyError("answered with a vector that is no base64 of float32 numbers") from None


def _listed(numbers: object) -> np.ndarray[Any, Any]:
    try:
        return np.array(numbers, dtype=np.float64)
    except (ValueError, TypeError):
        raise MalformedReplyError("answered with a vector that is no list of numbers") from None
