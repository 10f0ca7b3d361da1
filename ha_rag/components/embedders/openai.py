"""OpenAIEmbedder: vectors from any service with OpenAI's `/embeddings` endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import orjson

from ha_rag.components.embedders.embeddings_reply import vectors_in
from ha_rag.components.encodable import encodable
from ha_rag.components.service_client import ServiceClient
from ha_rag.components.service_config import ServiceConfig
from ha_rag.components.vectors import valid_weight
from ha_rag.errors import ConfigurationError
from ha_rag.messages import EVEN_WEIGHT, Embedding, Space

SHORTENS_ON_REQUEST = "text-embedding-3-"
"""OpenAI's models with this prefix accept `dimensions`; others reject requests that contain it."""


class OpenAIEmbedder:
    """An embedder behind an HTTP service. Safe across tasks.

    `service`: its address and limits. `model`, `revision`, `dimension`: its space. `batch_size`: texts per request of
    `embed_many`. `encoding_format`: "base64" (default; a third of the bytes), "float" for services that reject base64,
    or "none" for those that reject the field; both kinds of response are accepted. `send_dimension`: whether to send
    the dimension; None: only for models known to accept it. `request_model`: the name to send if the service knows the
    model by another one (an alias of a gateway). `parameters`: added to each request. `weight`: see Embedding (default
    0.5). The constructor raises ConfigurationError, the methods raise ComponentError.
    """

    def __init__(
        self,
        service: ServiceConfig,
        *,
        model: str,
        dimension: int,
        revision: str = "",
        batch_size: int = 64,
        encoding_format: Literal["base64", "float", "none"] = "base64",
        send_dimension: bool | None = None,
        request_model: str | None = None,
        parameters: Mapping[str, object] | None = None,
        weight: float = EVEN_WEIGHT,
    ) -> None:
        _refuse_bad_numbers(model, dimension, batch_size)
        if encoding_format not in ("base64", "float", "none"):
            raise ConfigurationError(f'encoding_format = {encoding_format!r}: must be "base64", "float" or "none"')
        self.space = Space(model, revision, dimension)
        self._weight = valid_weight(weight)
        self._batch_size = batch_size
        self._client = ServiceClient(service)
        self._url = service.url("embeddings")
        self._request: dict[str, object] = {**(parameters or {}), "model": request_model or model}
        if encoding_format != "none":
            self._request["encoding_format"] = encoding_format
        if model.startswith(SHORTENS_ON_REQUEST) if send_dimension is None else send_dimension:
            self._request["dimensions"] = dimension

    @property
    def dimension(self) -> int:
        return self.space.dimension

    async def embed(self, text: str) -> Embedding:
        return (await self._embed_batch([text]))[0]

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        embeddings: list[Embedding] = []
        for start in range(0, len(texts), self._batch_size):
            embeddings += await self._embed_batch(texts[start : start + self._batch_size])
        return embeddings

    async def aclose(self) -> None:
        """Closes the connections to the service."""
        await self._client.aclose()

    async def _embed_batch(self, texts: Sequence[str]) -> list[Embedding]:
        request = orjson.dumps({**self._request, "input": [encodable(text) for text in texts]})
        reply = await self._client.post(self._url, request)
        return [
            Embedding(vector, self.space, self._weight)
            for vector in vectors_in(
                reply, len(texts), self.dimension, self._client.config.redactor, self._client.now_ms()
            )
        ]


def _refuse_bad_numbers(model: str, dimension: int, batch_size: int) -> None:
    problems = []
    if not model:
        problems.append("model = '': must name the embedding model")
    if not 1 <= dimension <= 65_536:
        problems.append(f"dimension = {dimension!r}: must be between 1 and 65536")
    if not 1 <= batch_size <= 2048:
        problems.append(f"batch_size = {batch_size!r}: must be between 1 and 2048")
    if problems:
        raise ConfigurationError(*problems)
