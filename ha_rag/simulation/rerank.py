"""The simulated `/v1/rerank`: scores by the similarity of real vectors, in the form of Cohere and Jina, and of TEI."""

from __future__ import annotations

from typing import Any

import orjson

from ha_rag.simulation.embeddings import DEFAULT_DIMENSION, EmbeddingsEndpoint
from ha_rag.simulation.wire import BadRequestError, model_name

MODEL = "rerank-v3.5"
MOST_DOCUMENTS = 1000


class RerankEndpoint:
    """Answers rerank requests with the vectors of `embeddings`. For one event loop."""

    def __init__(self, embeddings: EmbeddingsEndpoint) -> None:
        self._embeddings = embeddings

    async def reply(self, body: dict[str, Any]) -> bytes:
        """The JSON response to a request of Cohere's or Jina's form, best first. Raises BadRequestError."""
        model, documents = model_name(body), _texts(body, "documents")
        ranked = await self._ranked(_query(body), documents)
        results: list[dict[str, object]] = [{"index": n, "relevance_score": score} for n, score in ranked]
        if body.get("return_documents") is True:
            for result, (n, _) in zip(results, ranked, strict=True):
                result["document"] = {"text": documents[n]}
        return orjson.dumps({"object": "list", "model": model, "results": results[: _top_n(body, len(documents))]})

    async def reply_as_tei(self, body: dict[str, Any]) -> bytes:
        """The same in TEI's form: a list, without a model."""
        ranked = await self._ranked(_query(body), _texts(body, "texts"))
        return orjson.dumps([{"index": n, "score": score} for n, score in ranked])

    async def _ranked(self, query: str, texts: list[str]) -> list[tuple[int, float]]:
        asked = await self._embeddings.vector(query, DEFAULT_DIMENSION)
        scores = [float(asked @ await self._embeddings.vector(text, DEFAULT_DIMENSION)) for text in texts]
        return sorted(enumerate(scores), key=lambda scored: -scored[1])


def _query(body: dict[str, Any]) -> str:
    query = body.get("query")
    if not isinstance(query, str) or not query:
        raise BadRequestError("query must be a non-empty string", "query")
    return query


def _texts(body: dict[str, Any], field: str) -> list[str]:
    texts = body.get(field)
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise BadRequestError(f"{field} must be a non-empty list of strings", field)
    if len(texts) > MOST_DOCUMENTS:
        raise BadRequestError(f"{field} must have at most {MOST_DOCUMENTS} texts", field)
    return texts


def _top_n(body: dict[str, Any], count: int) -> int:
    top_n = body.get("top_n", count)
    if type(top_n) is not int or top_n < 1:
        raise BadRequestError("top_n must be a whole number above 0", "top_n")
    return top_n
