"""Parses and validates the response of a rerank endpoint."""

from __future__ import annotations

import math

from ha_rag.components.complaint import complaint_in
from ha_rag.components.error_response import not_json, reported_error
from ha_rag.components.lenient_json import read_json
from ha_rag.components.usage import note_usage
from ha_rag.errors import MalformedReplyError
from ha_rag.redaction import NOTHING_KNOWN, Redactor

ERROR_BODY_BYTES = 16 * 1024
LISTS = ("results", "data")
"""Where the results are: Cohere, Jina and most others; Voyage. TEI's reply is the list itself."""
SCORES = ("relevance_score", "score")
"""What a score is called: by Cohere, Jina and most others; by TEI."""


def scores_in(body: bytes, count: int, redactor: Redactor = NOTHING_KNOWN, now_ms: int = 0) -> list[float]:
    """The score of each of `count` passages, in the order of the request.

    `redactor`: strikes secrets out of error messages. `now_ms`: the wall clock. Raises MalformedReplyError unless there
    is exactly one finite score for each passage; and what `reported_error` returns for an error.
    """
    results = _results(body, redactor, now_ms)
    if len(results) != count:
        raise MalformedReplyError(f"the response has {len(results)} results for {count} passages")
    scores: dict[int, float] = {}
    for result in results:
        number, score = _read(result)
        if not 0 <= number < count:
            raise MalformedReplyError(f"the response has a result whose `index` is not from 0 to {count - 1}")
        if number in scores:
            raise MalformedReplyError(f"the response has two results with index {number}")
        scores[number] = score
    return [scores[number] for number in range(count)]


def _results(body: bytes, redactor: Redactor, now_ms: int) -> list[object]:
    try:
        reply = read_json(body)
    except ValueError:
        raise MalformedReplyError(not_json(body, redactor)) from None
    if isinstance(reply, dict):
        complaint = complaint_in(reply, next((name for name in LISTS if name in reply), LISTS[0]))
        if complaint is not None:
            raise reported_error(complaint, body[:ERROR_BODY_BYTES], redactor=redactor, now_ms=now_ms)
        note_usage(reply, redactor)
        reply = next((reply[name] for name in LISTS if name in reply), None)
    if not isinstance(reply, list):
        raise MalformedReplyError(f"the response has no list of results under `{'` or `'.join(LISTS)}`")
    return reply


def _read(result: object) -> tuple[int, float]:
    if not isinstance(result, dict):
        raise MalformedReplyError("the response has a result that is no object")
    number = result.get("index")
    if type(number) is not int:
        raise MalformedReplyError("the response has a result whose `index` is not a whole number")
    score = next((result[name] for name in SCORES if name in result), None)
    if isinstance(score, bool) or not isinstance(score, int | float) or not _is_finite(score):
        raise MalformedReplyError(f"the response has a result whose `{'` or `'.join(SCORES)}` is not a finite number")
    return number, float(score)


def _is_finite(score: float) -> bool:
    try:
        return math.isfinite(score)
    except OverflowError:  # a whole number of hundreds of digits
        return False
