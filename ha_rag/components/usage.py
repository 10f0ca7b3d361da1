"""Collects the usage that services report (tokens, model, finish reason), for tracing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

LONGEST_NAME = 200


@dataclass(slots=True)
class Usage:
    """The usage in one response; None for values that are missing or implausible."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    model: str | None = None
    finish_reason: str | None = None

    def read(self, reply: Mapping[str, Any]) -> None:
        """Reads a response in OpenAI's format, or one event of a streamed response."""
        usage = reply.get("usage")
        if isinstance(usage, dict):
            self.input_tokens = _count(usage.get("prompt_tokens"), self.input_tokens)
            self.output_tokens = _count(usage.get("completion_tokens"), self.output_tokens)
        self.model = _name(reply.get("model"), self.model)
        choices = reply.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            self.finish_reason = _name(choices[0].get("finish_reason"), self.finish_reason)


_listener: ContextVar[Usage | None] = ContextVar("ha_rag_usage", default=None)


@contextmanager
def usage_heard() -> Iterator[Usage]:
    """Within this block, and in tasks started in it, usage that services report is added to the yielded value."""
    usage = Usage()
    token = _listener.set(usage)
    try:
        yield usage
    finally:
        _listener.reset(token)


def note_usage(reply: Mapping[str, Any]) -> None:
    """Adds the usage in a response to the value of the enclosing `usage_heard`, if there is one."""
    usage = _listener.get()
    if usage is not None:
        usage.read(reply)


def _count(value: object, before: int | None) -> int | None:
    return value if type(value) is int and 0 <= value < 2**53 else before


def _name(value: object, before: str | None) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable() else before
