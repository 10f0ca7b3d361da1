"""Unusable responses with status 200, as broken services and proxies send them."""

from __future__ import annotations

from itertools import cycle

from ha_rag.simulation.faults import GarbageKind, Target

HTML = "text/html"
JSON = "application/json"
_PAGE = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
_HALF = {
    Target.EMBEDDINGS: b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.0123,-0.04',
    Target.CHAT: b'{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assis',
    Target.RERANK: b'{"object":"list","results":[{"index":0,"relevance_sc',
}
_NAN = {
    Target.EMBEDDINGS: b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[NaN,0.5,NaN]}]}',
    Target.CHAT: b'{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":NaN}}]}',
    Target.RERANK: b'{"results":[{"index":0,"relevance_score":NaN},{"index":1,"relevance_score":NaN}]}',
}
_EMPTY = {
    Target.EMBEDDINGS: b'{"object":"list","data":[]}',
    Target.CHAT: b'{"object":"chat.completion","choices":[]}',
    Target.RERANK: b'{"results":[]}',
}
# A chat response has no dimension; the closest equivalent is a well-formed message with empty content. That of a
# ranking is an index of which there is no document.
_DIMENSION = {
    Target.EMBEDDINGS: b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.6,0.8,0.0]}]}',
    Target.CHAT: b'{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":""}}]}',
    Target.RERANK: b'{"results":[{"index":0,"relevance_score":0.9},{"index":99,"relevance_score":0.8}]}',
}
_BODIES = {
    GarbageKind.HALF: _HALF,
    GarbageKind.NAN: _NAN,
    GarbageKind.EMPTY: _EMPTY,
    GarbageKind.DIMENSION: _DIMENSION,
}
_TURNS = cycle([GarbageKind.HTML, *_BODIES])


def garbage(target: Target, kind: GarbageKind) -> tuple[bytes, str]:
    """A body and its content type. ANY cycles through the kinds."""
    shown = next(_TURNS) if kind is GarbageKind.ANY else kind
    return (_PAGE, HTML) if shown is GarbageKind.HTML else (_BODIES[shown][target], JSON)
