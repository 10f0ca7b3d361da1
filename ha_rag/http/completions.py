"""Answers in the form of OpenAI's chat completions, whole or as server-sent events.

The fields of `/v1/query` are under `ha_rag`, with the parameters that were ignored.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import orjson

from ha_rag.clock import SystemClock
from ha_rag.http.problems import Problem
from ha_rag.http.wire import answer_wire
from ha_rag.messages import WHOLE, Answer, TokenUsage
from ha_rag.strategy.streaming import AnswerBroken, AnswerDone, AnswerPiece, AnswerStarted

StreamEvent = AnswerStarted | AnswerPiece | AnswerDone | AnswerBroken

FINISH_REASONS = frozenset({WHOLE, "length", "content_filter", "tool_calls", "function_call"})
"""OpenAI's own. Clients with an enumeration fail on others, so an incomplete answer then ends with `length`; the
service's word is in `ha_rag.finish_reason`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatForm:
    """How one request wants its answer. `usage_wanted`: a stream ends with an event about the tokens used."""

    model: str
    ignored: Sequence[str] = ()
    usage_wanted: bool = False
    created: int = field(default_factory=lambda: SystemClock.unix_ms() // 1000)

    def completion(self, answer: Answer) -> dict[str, Any]:
        """A whole answer."""
        message = {"role": "assistant", "content": answer.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(answer)}
        usage = {} if answer.usage is None else {"usage": usage_wire(answer.usage)}
        return {
            **self._head(answer.id, "chat.completion"),
            "choices": [choice],
            **usage,
            "ha_rag": self._facts(answer),
        }

    async def server_sent(self, first: StreamEvent, events: AsyncGenerator[StreamEvent, None]) -> AsyncIterator[bytes]:
        """The events of a stream; `first` has already been read from `events`."""
        answer_id = first.id if isinstance(first, AnswerStarted) else ""
        async with aclosing(events):
            yield self._chunk(answer_id, {"role": "assistant", "content": ""})
            async for event in events:
                match event:
                    case AnswerPiece():
                        yield self._chunk(answer_id, {"content": event.text})
                    case AnswerDone():
                        yield self._last_chunks(event.answer)
                    case AnswerBroken():
                        yield b"data: " + Problem(502, "stream_broken", event.reason).body() + b"\n\n"

    def _chunk(self, answer_id: str, delta: dict[str, str], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._data({**self._chunk_head(answer_id), "choices": [choice], **more})

    def _last_chunks(self, answer: Answer) -> bytes:
        end = self._chunk(answer.id, {}, finish_reason(answer), ha_rag=self._facts(answer))
        if self.usage_wanted:
            usage = None if answer.usage is None else usage_wire(answer.usage)
            end += self._data({**self._chunk_head(answer.id), "choices": [], "usage": usage})
        return end + b"data: [DONE]\n\n"

    def _facts(self, answer: Answer) -> dict[str, Any]:
        return {**answer_wire(answer), "ignored": self.ignored}

    def _chunk_head(self, answer_id: str) -> dict[str, Any]:
        head = self._head(answer_id, "chat.completion.chunk")
        return {**head, "usage": None} if self.usage_wanted else head

    def _head(self, answer_id: str, kind: str) -> dict[str, Any]:
        return {"id": answer_id, "object": kind, "created": self.created, "model": self.model}

    @staticmethod
    def _data(value: dict[str, Any]) -> bytes:
        return b"data: " + orjson.dumps(value) + b"\n\n"


def finish_reason(answer: Answer) -> str:
    """Why the answer ended, in OpenAI's words."""
    return answer.finish_reason if answer.finish_reason in FINISH_REASONS else "length"


def usage_wire(usage: TokenUsage) -> dict[str, int]:
    """The tokens of one answer, as OpenAI reports them."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
