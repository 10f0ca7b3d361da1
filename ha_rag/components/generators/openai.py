"""OpenAIGenerator: answers from any service with OpenAI's `/chat/completions` endpoint."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

import orjson

from ha_rag.components.encodable import encodable
from ha_rag.components.generators.citations import cited_in
from ha_rag.components.generators.completion_reply import answer_in, delta_in
from ha_rag.components.generators.prompt import chat_messages
from ha_rag.components.service_client import ServiceClient
from ha_rag.components.service_config import ServiceConfig
from ha_rag.errors import ConfigurationError, MalformedReplyError
from ha_rag.messages import Generation, Passage

DONE = b"[DONE]"


class OpenAIGenerator:
    """A generator behind an HTTP service, with streaming. Safe across tasks.

    `service`: its address and limits. `model`: the model's name. `parameters`: added to each request, such as
    {"temperature": 0.1} or {"max_tokens": 400}; none by default, because models accept different ones. The constructor
    raises ConfigurationError, the methods raise ComponentError.
    """

    def __init__(self, service: ServiceConfig, *, model: str, parameters: Mapping[str, object] | None = None) -> None:
        if not model:
            raise ConfigurationError("model = '': must name the chat model")
        self._client = ServiceClient(service)
        self._url = service.url("chat/completions")
        self._request: dict[str, object] = {**(parameters or {}), "model": model}

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        body = await self._client.post(self._url, self._body(question, passages, stream=False))
        text = answer_in(body, self._client.config.api_key)
        return Generation(text, cited_in(text, len(passages)))

    async def stream(self, question: str, passages: Sequence[Passage]) -> AsyncGenerator[str, None]:
        """The answer's text in pieces. Raises MalformedReplyError if the stream ends too early or has no text."""
        has_text = finished = False
        request = self._body(question, passages, stream=True)
        async with aclosing(self._client.events(self._url, request)) as events:
            async for data in events:
                if data == DONE:
                    finished = True
                    break
                piece = delta_in(data, self._client.config.api_key)
                finished = finished or piece.finished
                if piece.text:
                    has_text = True
                    yield piece.text
        _refuse_incomplete(has_text, finished)

    async def aclose(self) -> None:
        """Closes the connections to the service."""
        await self._client.aclose()

    def _body(self, question: str, passages: Sequence[Passage], *, stream: bool) -> bytes:
        messages = [{**m, "content": encodable(m["content"])} for m in chat_messages(question, passages)]
        return orjson.dumps({**self._request, "messages": messages, "stream": stream})


def _refuse_incomplete(has_text: bool, finished: bool) -> None:
    if not finished:
        raise MalformedReplyError("the stream ended in the middle of the answer")
    if not has_text:
        raise MalformedReplyError("the answer is empty")
