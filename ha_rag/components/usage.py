"""Collects the usage that services report (tokens, model, finish reason), for tracing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ha_rag.messages import TokenUsage
from ha_rag.redaction import NOTHING_KNOWN, Redactor

LONGEST_NAME = 200


@dataclass(slots=True)
class Usage:
    """The usage in one response; None for values that are missing or implausible.

    `outer`: of the enclosing block, which hears the same.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    model: str | None = None
    finish_reason: str | None = None
    outer: Usage | None = None

    def tokens(self) -> TokenUsage | None:
        """The tokens that were reported; None if either count is missing."""
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return TokenUsage(self.input_tokens, self.output_tokens)

    def read(self, reply: Mapping[str, Any], redactor: Redactor = NOTHING_KNOWN) -> None:
        """Reads a response in OpenAI's format, or one event of a streamed response. Spans show what is read."""
        if self.outer is not None:
            self.outer.read(reply, redactor)
        usage = reply.get("usage")
        if isinstance(usage, dict):
            self.input_tokens = _count(usage.get("prompt_tokens"), self.input_tokens)
            self.output_tokens = _count(usage.get("completion_tokens"), self.output_tokens)
        self.model = _name(reply.get("model"), self.model, redactor)
        choices = reply.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            self.finish_reason = _name(choices[0].get("finish_reason"), self.finish_reason, redactor)


_listener: ContextVar[Usage | None] = ContextVar("ha_rag_usage", default=None)


@contextmanager
def usage_heard() -> Iterator[Usage]:
    """Within this block, and in tasks started in it, usage that services report is added to the yielded value."""
    with usage_heard_by(Usage()) as usage:
        yield usage


@contextmanager
def usage_heard_by(usage: Usage) -> Iterator[Usage]:
    """The same with a given value, for what is reported in several steps, such as the events of a stream."""
    usage.outer = _listener.get()
    token = _listener.set(usage)
    try:
        yield usage
    finally:
        _listener.reset(token)


def note_usage(reply: Mapping[str, Any], redactor: Redactor = NOTHING_KNOWN) -> None:
    """Adds the usage in a response, without secrets, to the value of the enclosing `usage_heard`, if there is one."""
    usage = _listener.get()
    if usage is not None:
        usage.read(reply, redactor)


def _count(value: object, before: int | None) -> int | None:
    return value if type(value) is int and 0 <= value < 2**53 else before


def _name(value: object, before: str | None, redactor: Redactor) -> str | None:
    usable = isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()
    return redactor.redacted(str(value)) if usable else before
