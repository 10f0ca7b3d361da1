"""The form of cached embeddings and answers: JSON, made here and checked here as if a stranger had written it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from ha_rag.components.generators.refusal import is_simulated
from ha_rag.errors import MalformedReplyError
from ha_rag.ledger.store.cache import CachedValue
from ha_rag.ledger.store.validation import ForeignValueError
from ha_rag.messages import Answer, Citation, EarlierAnswer, Embedding, Space
from ha_rag.strategy.question import MAX_TOP_K
from ha_rag.strategy.replies import usable_embedding

_FLOATS = np.dtype("<f4")


def digest_of(*parts: str) -> str:
    """The digest of a key: SHA-256 of its parts, each with its length, so that no two keys are written alike."""
    digest = hashlib.sha256()
    for part in parts:
        written = part.encode()
        digest.update(b"%d:%b" % (len(written), written))
    return digest.hexdigest()


def written_embedding(embedding: Embedding) -> str:
    """The body of an embedding."""
    vector = base64.b64encode(embedding.vector.astype(_FLOATS).tobytes()).decode()
    return orjson.dumps({"vector": vector, "weight": float(embedding.weight)}).decode()


def read_embedding(value: CachedValue, space: Space) -> Embedding:
    """An embedding in `space` from its body. Raises ForeignValueError."""
    body = _object(value.body)
    try:
        written = base64.b64decode(_text(body, "vector"), validate=True)
        vector = np.frombuffer(written, _FLOATS).astype(np.float32)
        embedding = usable_embedding(Embedding(vector, space, _number(body.get("weight"))))
    except (binascii.Error, ValueError, MalformedReplyError) as error:
        raise ForeignValueError(f"a cached embedding: {error}") from None
    if embedding.space is None:
        raise ForeignValueError("a cached embedding is all zeros")
    return embedding


def written_answer(answer: Answer) -> str:
    """The body of an answer: its text and what it cites."""
    citations = [
        {
            "n": citation.n,
            "document": citation.document,
            "passage": citation.passage,
            "text": citation.text,
            "score": float(citation.score),
            "also_in": citation.also_in,
            "quote": (citation.quote_start, citation.quote_end),
        }
        for citation in answer.citations
    ]
    return orjson.dumps({"text": answer.text, "citations": citations}).decode()


def read_answer(value: CachedValue) -> EarlierAnswer:
    """An earlier answer from its body. Raises ForeignValueError."""
    body = _object(value.body)
    text, citations = _text(body, "text"), body.get("citations")
    if not text.strip():
        raise ForeignValueError("a cached answer has no text")
    if not isinstance(citations, list) or not 1 <= len(citations) <= MAX_TOP_K:
        raise ForeignValueError(f"a cached answer must have 1 to {MAX_TOP_K} citations")
    read = tuple(_citation(citation) for citation in citations)
    cited = tuple(citation.n for citation in read)
    return EarlierAnswer(text, cited, age_s=value.age_s, citations=read, simulated=is_simulated(text))


def _citation(given: object) -> Citation:
    if not isinstance(given, dict):
        raise ForeignValueError("a citation of a cached answer is not an object")
    text, also_in = _text(given, "text"), given.get("also_in")
    if not isinstance(also_in, list) or not all(isinstance(document, str) for document in also_in):
        raise ForeignValueError("a citation of a cached answer names no documents in `also_in`")
    start, end = _quote(given.get("quote"), len(text))
    return Citation(
        n=_whole(given.get("n"), 1, MAX_TOP_K),
        document=_text(given, "document"),
        passage=_text(given, "passage"),
        text=text,
        score=_number(given.get("score")),
        also_in=tuple(also_in),
        quote_start=start,
        quote_end=end,
    )


def _quote(given: object, length: int) -> tuple[int, int]:
    if not isinstance(given, Sequence) or len(given) != 2:
        raise ForeignValueError("a citation of a cached answer has no quote")
    start = _whole(given[0], 0, length)
    return start, _whole(given[1], start, length)


def _object(body: str) -> dict[str, Any]:
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ForeignValueError("a cached value is not JSON") from None
    if not isinstance(read, dict):
        raise ForeignValueError("a cached value is not an object")
    return read


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise ForeignValueError(f"`{name}` of a cached value is not text")
    return value


def _whole(value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ForeignValueError(f"a number of a cached answer is not from {low} to {high}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ForeignValueError("a number of a cached value is none")
    return float(value)
