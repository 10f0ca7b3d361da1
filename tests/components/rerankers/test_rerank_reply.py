"""What rerank services send: whatever the form, one score for each passage; anything else is named."""

from __future__ import annotations

import pytest

from ha_rag.components.rerankers.rerank_reply import scores_in
from ha_rag.errors import InvalidRequestError, MalformedReplyError, ServiceError, ThrottledError

GOOD = {
    "cohere": b'{"id":"x","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.2}],"meta":{}}',
    "jina": b'{"model":"m","object":"list","usage":{"total_tokens":9},"results":['
    b'{"index":1,"relevance_score":0.9,"document":{"text":"b"}},{"index":0,"relevance_score":0.2,"document":null}]}',
    "voyage": b'{"object":"list","data":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.2}]}',
    "tei": b'[{"index":1,"score":0.9},{"index":0,"score":0.2}]',
    "not sorted": b'{"results":[{"index":0,"relevance_score":0.2},{"index":1,"relevance_score":0.9}]}',
    "an error of null": b'{"error":null,'
    b'"results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.2}]}',
    "a byte order mark, and NaN elsewhere": b"\xef\xbb\xbf"
    b'{"score":NaN,"results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.2}]}',
}


@pytest.mark.parametrize("form", GOOD)
def test_the_scores_are_in_the_order_of_the_passages(form):
    assert scores_in(GOOD[form], 2) == [0.2, 0.9]


def test_scores_may_be_whole_or_negative_numbers():
    assert scores_in(b'[{"index":0,"score":-7},{"index":1,"score":3}]', 2) == [-7.0, 3.0]


BAD = {
    "an index beyond the passages": (b'[{"index":0,"score":1},{"index":2,"score":1}]', "not from 0 to 1"),
    "an index below 0": (b'[{"index":0,"score":1},{"index":-1,"score":1}]', "not from 0 to 1"),
    "an enormous index": (b'[{"index":0,"score":1},{"index":1' + b"0" * 400 + b',"score":1}]', "not from 0 to 1"),
    "an index twice": (b'[{"index":1,"score":1},{"index":1,"score":1}]', "two results with index 1"),
    "fewer results": (b'{"results":[{"index":0,"relevance_score":1}]}', "1 results for 2 passages"),
    "more results": (b'[{"index":0,"score":1},{"index":1,"score":1},{"index":2,"score":1}]', "3 results for 2"),
    "no results": (b'{"results":[]}', "0 results for 2 passages"),
    "NaN": (b'[{"index":0,"score":NaN},{"index":1,"score":1}]', "is not a finite number"),
    "infinity": (b'[{"index":0,"score":Infinity},{"index":1,"score":1}]', "is not a finite number"),
    "too large for a float": (b'[{"index":0,"score":1e999},{"index":1,"score":1}]', "is not a finite number"),
    "digits without end": (b'[{"index":0,"score":1' + b"0" * 400 + b'},{"index":1,"score":1}]', "not a finite number"),
    "a string as score": (b'[{"index":0,"score":"0.9"},{"index":1,"score":1}]', "is not a finite number"),
    "a truth value as score": (b'[{"index":0,"score":true},{"index":1,"score":1}]', "is not a finite number"),
    "no score": (b'[{"index":0},{"index":1,"score":1}]', "is not a finite number"),
    "a string as index": (b'[{"index":"0","score":1},{"index":1,"score":1}]', "is not a whole number"),
    "a fraction as index": (b'[{"index":0.5,"score":1},{"index":1,"score":1}]', "is not a whole number"),
    "a truth value as index": (b'[{"index":true,"score":1},{"index":1,"score":1}]', "is not a whole number"),
    "no index": (b'[{"score":1},{"index":1,"score":1}]', "is not a whole number"),
    "strings as results": (b'{"results":["a","b"]}', "a result that is no object"),
    "results that are no list": (b'{"results":{"0":1}}', "no list of results under `results` or `data`"),
    "results of null": (b'{"results":null}', "no list of results"),
    "another object": (b'{"object":"list"}', "no list of results"),
    "a number": (b"7", "no list of results"),
    "half a reply": (b'{"results":[{"index":0,"relevance_sc', "is not JSON"),
    "a web page": (b"<!doctype html><title>502</title>", "is not JSON"),
    "nothing": (b"", "the response is empty"),
    "lists within lists": (b"[" * 100_000, "is not JSON"),
}


@pytest.mark.parametrize("reply", BAD)
def test_a_reply_that_is_no_ranking_of_these_passages_is_refused_with_the_reason(reply):
    body, said = BAD[reply]
    with pytest.raises(MalformedReplyError, match=said):
        scores_in(body, 2)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"error":{"message":"overloaded"}}', ServiceError),
        (b'{"detail":"model not loaded"}', ServiceError),
        (b'{"error":"Batch size error","error_type":"validation"}', ServiceError),
        (b'{"error":{"message":"too many","code":429}}', ThrottledError),
        (b'{"error":{"message":"too long","code":422}}', InvalidRequestError),
    ],
)
def test_an_error_in_a_reply_of_status_200_is_what_it_says(body, kind):
    with pytest.raises(kind):
        scores_in(body, 2)
