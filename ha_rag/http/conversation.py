"""The messages of a chat: the last one of the user is the question, those of the system are wishes.

Earlier messages are ignored, so they may hold what is not supported here, such as images and tool calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, WithJsonSchema

from ha_rag.components.generators.wishes import MAX_WISHES_CHARS
from ha_rag.errors import ConfigurationError
from ha_rag.http.null_fields import NullIsAbsence
from ha_rag.http.problems import Problem, invalid
from ha_rag.strategy.question import checked_question

MAX_MESSAGES = 1000
OF_THE_SYSTEM = frozenset({"system", "developer"})

_PART = {"type": "object", "properties": {"type": {"type": "string"}}, "required": ["type"]}
_CONTENT = {"anyOf": [{"type": "string"}, {"type": "array", "items": _PART}, {"type": "null"}]}


def _content(given: object) -> object:
    if isinstance(given, list):
        invalid_at = next((n for n, part in enumerate(given) if not _is_part(part)), None)
        if invalid_at is not None:
            raise ValueError(f"part {invalid_at} must be an object with a `type`, such as {_EXAMPLE}")
    elif given is not None and not isinstance(given, str):
        raise ValueError("must be text or a list of parts")
    return given


def _is_part(given: object) -> bool:
    return isinstance(given, dict) and isinstance(given.get("type"), str)


_EXAMPLE = '{"type": "text", "text": "How?"}'


class Message(NullIsAbsence):
    """One message of a conversation. `content`: text or a list of parts, of which those of type `text` are read."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, hide_input_in_errors=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[Any, BeforeValidator(_content), WithJsonSchema(_CONTENT)] = None


def question_in(messages: Sequence[Message]) -> str:
    """The text of the last user message. Raises Problem if there is none, or if it is not a valid question."""
    for n, message in reversed(list(enumerate(messages))):
        if message.role == "user":
            where = f"messages[{n}].content"
            try:
                return checked_question(_text(message, where))
            except ConfigurationError as error:
                rule = str(error).removeprefix("question: ")
                raise invalid(f"{where}: the last user message {rule}", where) from None
    raise invalid("messages: at least one must have the role user", "messages")


def wishes_in(messages: Sequence[Message]) -> tuple[str, list[str]]:
    """The text of all system messages, at most 8,000 characters, and the names of their parts that are left out."""
    texts, left_out = [], []
    for n, message in enumerate(messages):
        if message.role in OF_THE_SYSTEM:
            for where, part in _parts(message, f"messages[{n}].content"):
                texts.append(part["text"]) if _is_text(part) else left_out.append(where)
    wishes = "\n".join(filter(None, map(str.strip, texts)))
    if len(wishes) > MAX_WISHES_CHARS:
        left_out.append(f"messages (those of the system beyond {MAX_WISHES_CHARS:,} characters)")
    return wishes[:MAX_WISHES_CHARS], left_out


def _text(message: Message, where: str) -> str:
    return "\n".join(_part_text(part, at) for at, part in _parts(message, where))


def _parts(message: Message, where: str) -> list[tuple[str, dict[str, Any]]]:
    """The parts of a message, each with its name in error messages. Plain text is one part."""
    content = message.content or ""
    if isinstance(content, str):
        return [(where, {"type": "text", "text": content})]
    return [(f"{where}[{n}]", part) for n, part in enumerate(content)]


def _is_text(part: dict[str, Any]) -> bool:
    return part["type"] == "text" and isinstance(part.get("text"), str)


def _part_text(part: dict[str, Any], where: str) -> str:
    if part["type"] != "text":
        raise _unsupported(part["type"], f"{where}.type")
    text = part.get("text")
    if not isinstance(text, str):
        raise invalid(f"{where}.text: {'is required' if text is None else 'must be text'}", f"{where}.text")
    return text


def _unsupported(kind: str, where: str) -> Problem:
    return invalid(f"{where}: {kind[:40]!r} is not supported; questions are text, in parts of type 'text'", where)
