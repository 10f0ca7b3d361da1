"""OpenAIGenerator: answers by any service that speaks OpenAI's `/chat/completions`."""

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
    """A generator behind an HTTP service, at once or as a stream. Safe across tasks.

    `service`: where it is. `model`: its name. `parameters`: sent along as they are, such as {"temperature": 0.1} or
    {"max_tokens": 400}; none by default, because models differ in which they take. Raises ComponentError from its
    methods, ConfigurationError here.
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
        """The answer's text in pieces. A stream that ends before the service said so raises MalformedReplyError."""
        said_anything = finished = False
        request = self._body(question, passages, stream=True)
        async with aclosing(self._client.events(self._url, request)) as events:
            async for data in events:
                if data == DONE:
                    finished = True
                    break
                piece = delta_in(data, self._client.config.api_key)
                finished = finished or piece.finished
                if piece.text:
                    said_anything = True
                    yield piece.text
        _refuse_half_an_answer(said_anything, finished)

    async def aclose(self) -> None:
        """Closes the connections to the service."""
        await self._client.aclose()

    def _body(self, question: str, passages: Sequence[Passage], *, stream: bool) -> bytes:
        messages = [{**m, "content": encodable(m["content"])} for m in chat_messages(question, passages)]
        return orjson.dumps({**self._request, "messages": messages, "stream": stream})


def _refuse_half_an_answer(said_anything: bool, finished: bool) -> None:
    if not finished:
        raise MalformedReplyError("the stream ended in the middle of the answer")
    if not said_anything:
        raise MalformedReplyError("the answer is empty")
