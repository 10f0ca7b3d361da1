"""OpenAIGenerator: answers from any service with OpenAI's `/chat/completions` endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

import orjson

from ha_rag.components.encodable import encodable
from ha_rag.components.event_stream import ServerEvent
from ha_rag.components.generators.citations import cited_in
from ha_rag.components.generators.completion_reply import CompletionReader
from ha_rag.components.generators.prompt import chat_messages
from ha_rag.components.generators.thinking import after_thinking
from ha_rag.components.generators.wishes import wishes
from ha_rag.components.reply_events import events_in
from ha_rag.components.service_client import ServiceClient
from ha_rag.components.service_config import ServiceConfig
from ha_rag.components.usage import Usage, usage_heard, usage_heard_by
from ha_rag.errors import ComponentError, ConfigurationError, MalformedReplyError
from ha_rag.messages import Generation, Passage, StreamEnding

AFTER_END_S = 0.25
"""How long to wait for what may follow the end of an answer: usage, an error, or the end of the stream."""
OF_STREAMS = frozenset({"stream_options"})
"""Parameters that OpenAI refuses in a request for a whole reply."""
SET_HERE = ("messages", "model", "stream")


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
        reader, pieces = self._reader(), []
        with usage_heard() as usage:
            for event in events_in(body):
                pieces.append(reader.read(event))
                if reader.done:
                    break
        rest, finish_reason = reader.end()
        text = after_thinking("".join([*pieces, rest])).strip()
        if not text:
            raise MalformedReplyError("the answer is empty")
        return Generation(text, cited_in(text, len(passages)), finish_reason, usage.tokens())

    async def stream(self, question: str, passages: Sequence[Passage]) -> AsyncGenerator[str | StreamEnding, None]:
        """The answer's text in pieces. Raises MalformedReplyError if the stream ends too early or has no text."""
        reader, usage = self._reader(), Usage()
        async with aclosing(self._client.events(self._url, self._body(question, passages, stream=True))) as events:
            while not reader.done and (event := await _next(events, reader)) is not None:
                with usage_heard_by(usage):
                    piece = reader.read(event)
                if piece:
                    yield piece
        rest, finish_reason = reader.end()
        if rest:
            yield rest
        ending = StreamEnding(finish_reason, usage.tokens())
        if ending != StreamEnding():
            yield ending

    async def aclose(self) -> None:
        """Closes the connections to the service."""
        await self._client.aclose()

    def _reader(self) -> CompletionReader:
        return CompletionReader(self._client.config.redactor, self._client.now_ms())

    def _body(self, question: str, passages: Sequence[Passage], *, stream: bool) -> bytes:
        messages = [{**m, "content": encodable(m["content"])} for m in chat_messages(question, passages, wishes())]
        request = {name: value for name, value in self._request.items() if stream or name not in OF_STREAMS}
        return orjson.dumps({**request, "messages": messages, "stream": stream})


async def _next(events: AsyncGenerator[ServerEvent], reader: CompletionReader) -> ServerEvent | None:
    """The next event; None once there is none, or once an answer that has its end is followed by nothing useful."""
    if not reader.ended:
        return await anext(events, None)
    try:
        async with asyncio.timeout(AFTER_END_S):
            return await anext(events, None)
    except (ComponentError, TimeoutError):
        return None
