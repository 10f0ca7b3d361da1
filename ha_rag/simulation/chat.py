"""The simulated `/v1/chat/completions`: answers with sentences from the prompt's passages, and says it is simulated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import count
from typing import Any

import orjson

from ha_rag.clock import SystemClock
from ha_rag.components.generators.citations import CITATION
from ha_rag.components.generators.extractive import ExtractiveGenerator
from ha_rag.components.generators.refusal import SIMULATED
from ha_rag.simulation.prompt_reading import passages_in, question_in
from ha_rag.simulation.question_making import made_question, wants_a_question
from ha_rag.simulation.wire import BadRequestError, model_name

MODEL = "gpt-4o-mini"
PIECES = re.compile(r"\S+\s*(?:\S+\s*){0,3}")
ROLES = ("system", "developer", "user", "assistant", "tool")
CHARACTERS_A_TOKEN = 4
_NUMBERS = count(1)
_GENERATOR = ExtractiveGenerator(max_sentences=4)


class ChatRequest:
    """A validated request. Raises BadRequestError."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.model = model_name(body)
        self.prompt = _last_user_text(body.get("messages"))
        self.stream = _flag(body.get("stream"), "stream")
        options = body.get("stream_options")
        self.usage_wanted = isinstance(options, dict) and bool(options.get("include_usage"))
        self.most_tokens = _most_tokens(body)


def whole_reply(request: ChatRequest) -> bytes:
    """The JSON response with the complete answer."""
    text, finish = _said(request)
    message = {"role": "assistant", "content": text, "refusal": None}
    reply = {
        **_envelope(request, "chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": _usage(request.prompt, text),
    }
    return orjson.dumps(reply)


def streamed_reply(request: ChatRequest) -> Iterator[bytes]:
    """The answer as server-sent events, a few words at a time."""
    envelope, (text, finish) = _envelope(request, "chat.completion.chunk"), _said(request)
    yield _event(envelope, {"role": "assistant", "content": ""})
    for piece in PIECES.findall(text):
        yield _event(envelope, {"content": piece})
    yield _event(envelope, {}, finish=finish)
    if request.usage_wanted:
        yield b"data: " + orjson.dumps({**envelope, "choices": [], "usage": _usage(request.prompt, text)}) + b"\n\n"
    yield b"data: [DONE]\n\n"


@lru_cache(maxsize=2048)
def answer_to(prompt: str) -> str:
    """Sentences from the prompt's passages, cited by their numbers in the prompt. Cached for repeated benchmarks."""
    passages = passages_in(prompt)
    if wants_a_question(question_in(prompt)) and (made := made_question(passages)):
        return SIMULATED + made
    text = _GENERATOR.answer(question_in(prompt), passages).text
    ids = {str(n): passage.id for n, passage in enumerate(passages, start=1)}
    # A quoted passage may have footnotes of its own, with any number: those stay.
    return SIMULATED + CITATION.sub(lambda found: f"[{ids.get(found[1], found[1])}]", text)


def _said(request: ChatRequest) -> tuple[str, str]:
    """The text and the finish_reason: as a model does, it stops where the request's limit on tokens is reached."""
    text = answer_to(request.prompt)
    if request.most_tokens is None or len(text) <= CHARACTERS_A_TOKEN * request.most_tokens:
        return text, "stop"
    return text[: CHARACTERS_A_TOKEN * request.most_tokens], "length"


def _envelope(request: ChatRequest, kind: str) -> dict[str, object]:
    created = SystemClock.unix_ms() // 1000
    return {"id": f"chatcmpl-sim-{next(_NUMBERS)}", "object": kind, "created": created, "model": request.model}


def _event(envelope: dict[str, object], delta: dict[str, str], finish: str | None = None) -> bytes:
    return (
        b"data: "
        + orjson.dumps({**envelope, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        + b"\n\n"
    )


def _usage(prompt: str, answer: str) -> dict[str, int]:
    asked, said = (len(text) // CHARACTERS_A_TOKEN + 1 for text in (prompt, answer))
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _last_user_text(messages: object) -> str:
    if not isinstance(messages, list) or not messages:
        raise BadRequestError("messages must be a non-empty list of messages", "messages")
    for n, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise BadRequestError(f"messages[{n}] must be an object with a known role", f"messages[{n}].role")
    texts = [_text(message.get("content"), n) for n, message in enumerate(messages) if message["role"] == "user"]
    if not texts:
        raise BadRequestError("messages must contain a message of the user", "messages")
    return texts[-1]


def _text(content: object, n: int) -> str:
    """A message's text, given as a string or as a list of parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        content = "\n".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str) or not content:
        raise BadRequestError(f"messages[{n}] must contain text", f"messages[{n}].content")
    return content


def _most_tokens(body: dict[str, Any]) -> int | None:
    """The request's limit on the answer's length; None without one."""
    for name in ("max_completion_tokens", "max_tokens"):
        given = body.get(name)
        if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 1):
            raise BadRequestError(f"{name} must be a whole number from 1", name)
        if given is not None:
            return given
    return None


def _flag(given: object, name: str) -> bool:
    if given is None or isinstance(given, bool):
        return bool(given)
    raise BadRequestError(f"{name} must be true or false", name)
