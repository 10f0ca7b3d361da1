"""What a service says about its own work: tokens and model, for whoever listens (tracing); nobody, mostly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

LONGEST_NAME = 200


@dataclass(slots=True)
class Usage:
    """What one reply said; None where it said nothing, or nothing that can be believed."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    model: str | None = None
    finish_reason: str | None = None

    def read(self, reply: Mapping[str, Any]) -> None:
        """Takes what is there from a reply in OpenAI's form, or from one piece of a streamed one."""
        told = reply.get("usage")
        if isinstance(told, dict):
            self.input_tokens = _count(told.get("prompt_tokens"), self.input_tokens)
            self.output_tokens = _count(told.get("completion_tokens"), self.output_tokens)
        self.model = _name(reply.get("model"), self.model)
        choices = reply.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            self.finish_reason = _name(choices[0].get("finish_reason"), self.finish_reason)


_listener: ContextVar[Usage | None] = ContextVar("ha_rag_usage", default=None)


@contextmanager
def usage_heard() -> Iterator[Usage]:
    """Within this block, and in tasks begun in it, what services say of their work goes into the value given."""
    usage = Usage()
    token = _listener.set(usage)
    try:
        yield usage
    finally:
        _listener.reset(token)


def note_usage(reply: Mapping[str, Any]) -> None:
    """Tells whoever listens what a reply says of itself."""
    usage = _listener.get()
    if usage is not None:
        usage.read(reply)


def _count(value: object, before: int | None) -> int | None:
    return value if type(value) is int and 0 <= value < 2**53 else before


def _name(value: object, before: str | None) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable() else before
