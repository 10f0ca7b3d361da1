"""HttpReranker: scores from a rerank service, as Cohere, Jina and Text Embeddings Inference (TEI) offer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import orjson

from ha_rag.components.encodable import encodable
from ha_rag.components.rerankers.rerank_reply import scores_in
from ha_rag.components.service_client import ServiceClient
from ha_rag.components.service_config import ServiceConfig
from ha_rag.errors import ConfigurationError
from ha_rag.messages import Passage

Form = Literal["cohere", "jina", "tei"]
FORMS: tuple[Form, ...] = ("cohere", "jina", "tei")
CANDIDATES = 30
OWN_FIELDS = frozenset({"documents", "query", "raw_scores", "return_documents", "texts", "top_k", "top_n", "truncate"})
"""Fields that the request sets itself, in one form or another."""


class HttpReranker:
    """A reranker behind an HTTP service. Safe across tasks.

    `service`: its address and limits. `model`: the model's name. `form`: of the request, which is sent to `rerank` at
    the address: "cohere" (also vLLM, LiteLLM, llama.cpp and others), "jina" (the same; the reply need not repeat the
    documents) or "tei" (no model, and long passages are cut). Replies of each are read, whatever the form.
    `candidates`: how many passages it is given, 2 to 50. `parameters`: added to each request. The constructor raises
    ConfigurationError, the method raises ComponentError.
    Sources: https://docs.cohere.com/reference/rerank, https://jina.ai/reranker,
    https://huggingface.github.io/text-embeddings-inference.
    """

    def __init__(
        self,
        service: ServiceConfig,
        *,
        model: str,
        form: Form = "cohere",
        candidates: int = CANDIDATES,
        parameters: Mapping[str, object] | None = None,
    ) -> None:
        if form not in FORMS:
            raise ConfigurationError(f"form = {form!r}: must be one of {', '.join(FORMS)}")
        if not 2 <= candidates <= 50:
            raise ConfigurationError(f"candidates = {candidates!r}: must be between 2 and 50")
        self.candidates = candidates
        self._form = form
        self._model = model
        self._parameters = dict(parameters or {})
        self._client = ServiceClient(service)
        self._url = service.url("rerank")

    async def rerank(self, question: str, passages: Sequence[Passage]) -> list[float]:
        request = self._request(encodable(question), [encodable(passage.text) for passage in passages])
        reply = await self._client.post(self._url, orjson.dumps({**self._parameters, **request}))
        return scores_in(reply, len(passages), self._client.config.redactor, self._client.now_ms())

    async def aclose(self) -> None:
        """Closes the connections to the service."""
        await self._client.aclose()

    def _request(self, question: str, texts: list[str]) -> dict[str, object]:
        if self._form == "tei":
            return {"query": question, "texts": texts, "truncate": True}
        request: dict[str, object] = {"model": self._model, "query": question, "documents": texts, "top_n": len(texts)}
        return request if self._form == "cohere" else {**request, "return_documents": False}
