"""Parses and validates the response of an `/embeddings` endpoint."""

from __future__ import annotations

import binascii
from typing import Any

import numpy as np

from ha_rag.components.complaint import complaint_in
from ha_rag.components.error_response import not_json, reported_error
from ha_rag.components.lenient_json import read_json
from ha_rag.components.usage import note_usage
from ha_rag.components.vectors import unit
from ha_rag.errors import MalformedReplyError
from ha_rag.messages import Vector
from ha_rag.redaction import NOTHING_KNOWN, Redactor

ERROR_BODY_BYTES = 16 * 1024


def vectors_in(
    body: bytes, count: int, dimension: int, redactor: Redactor = NOTHING_KNOWN, now_ms: int = 0
) -> list[Vector]:
    """The `count` vectors of `dimension` numbers in the response, in the order of the texts, scaled to unit length.

    A vector is a list of numbers or base64 of little-endian float32 numbers (see `encoding_format`). `redactor`:
    strikes secrets out of error messages. `now_ms`: the wall clock. Raises MalformedReplyError for invalid JSON, a
    wrong structure, count or dimension, and for vectors that are all zero or not finite; and what `reported_error`
    returns for an error.
    """
    items = _items(body, redactor, now_ms)
    if len(items) != count:
        raise MalformedReplyError(f"the response has {len(items)} vectors for {count} texts")
    return [_vector(item.get("embedding"), dimension) for item in _in_order(items)]


def _items(body: bytes, redactor: Redactor, now_ms: int) -> list[dict[str, Any]]:
    try:
        reply = read_json(body)
    except ValueError:
        raise MalformedReplyError(not_json(body, redactor)) from None
    complaint = complaint_in(reply, "data")
    if complaint is not None:
        raise reported_error(complaint, body[:ERROR_BODY_BYTES], redactor=redactor, now_ms=now_ms)
    items = reply.get("data") if isinstance(reply, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise MalformedReplyError("the response has no list of vectors under `data`")
    if isinstance(reply, dict):
        note_usage(reply, redactor)
    return items


def _in_order(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sorted by `index`, which may come in any order; unchanged if there are no indexes."""
    if len(items) == 1 or not any("index" in item for item in items):
        return items
    by_index = {index: item for item in items if type(index := item.get("index")) is int}
    if sorted(by_index) != list(range(len(items))):
        raise MalformedReplyError("the indexes of the vectors are not 0, 1, 2 ... without gaps or repetitions")
    return [by_index[n] for n in range(len(items))]


def _vector(numbers: object, dimension: int) -> Vector:
    values = _decoded(numbers) if isinstance(numbers, str) else _listed(numbers)
    if values.shape != (dimension,):
        raise MalformedReplyError(f"the response has a vector of shape {values.shape}, expected ({dimension},)")
    vector = unit(values)
    if vector is None:
        raise MalformedReplyError("the response has a vector that is all zero or not finite")
    return vector


def _decoded(text: str) -> np.ndarray[Any, Any]:
    try:
        return np.frombuffer(binascii.a2b_base64(text, strict_mode=True), dtype="<f4")
    except (binascii.Error, ValueError):
        raise MalformedReplyError("the response has a vector that is not base64 of float32 numbers") from None


def _listed(numbers: object) -> np.ndarray[Any, Any]:
    try:
        return np.array(numbers, dtype=np.float64)
    except (ValueError, TypeError):
        raise MalformedReplyError("the response has a vector that is not a list of numbers") from None
