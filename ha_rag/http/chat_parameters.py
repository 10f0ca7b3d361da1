"""The body of a chat completion, and which of OpenAI's parameters have an effect here.

Parameters without an effect are accepted, so that clients change only their base URL; the answer lists those that asked
for something (`ha_rag.ignored`). With `strict` they are refused by name instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import orjson
from pydantic import ConfigDict, Field

from ha_rag.http.bodies import Body
from ha_rag.http.conversation import MAX_MESSAGES, Message, wishes_in
from ha_rag.http.null_fields import NullIsAbsence
from ha_rag.http.problems import invalid
from ha_rag.http.questions import TopK
from ha_rag.strategy.question import DEFAULT_TOP_K

MODEL = "ha_rag"
MAX_NAMED = 20
"""Parameters that an answer lists as ignored, at most."""

NO_EFFECT: Mapping[str, tuple[object, ...]] = {
    "audio": (),
    "frequency_penalty": (0,),
    "function_call": ("auto", "none"),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "max_completion_tokens": (),
    "max_tokens": (),
    "modalities": (["text"],),
    "n": (1,),
    "parallel_tool_calls": (False, True),
    "prediction": (),
    "presence_penalty": (0,),
    "prompt_cache_retention": (),
    "reasoning_effort": (),
    "response_format": ({"type": "text"},),
    "seed": (),
    "service_tier": ("auto", "default"),
    "stop": ([],),
    "store": (False,),
    "temperature": (1,),
    "tool_choice": ("auto", "none"),
    "tools": ([],),
    "top_logprobs": (0,),
    "top_p": (1,),
    "verbosity": (),
    "web_search_options": (),
}
"""OpenAI's parameters that change nothing here, with the values that ask for nothing but what is done anyway."""

LABELS = ("metadata", "prompt_cache_key", "safety_identifier", "user")
"""Parameters that only name the caller or the request, and ask nothing of the answer."""

ASKERS = ("safety_identifier", "user")
NAMES_ASKER = "Names the user or the session, for experiments: the same one is always given the same arm."


def _documented() -> dict[str, Any]:
    without = "No effect; refused if `strict`"
    described = {name: _meaning(without, usual) for name, usual in NO_EFFECT.items()}
    labels = {name: {"description": "Accepted: asks nothing of the answer."} for name in LABELS}
    return described | labels | {name: {"description": NAMES_ASKER} for name in ASKERS}


def _meaning(without: str, usual: tuple[object, ...]) -> dict[str, Any]:
    allowed = ", ".join(f"`{_json(value)}`" for value in usual)
    return {"description": f"{without}, except {allowed}." if usual else f"{without}."}


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _add_documented(schema: dict[str, Any]) -> None:
    schema["properties"] |= _documented()


class StreamOptions(NullIsAbsence):
    """Options of a stream."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, hide_input_in_errors=True)

    include_usage: bool = False


class ChatBody(Body):
    """A conversation whose last user message is the question."""

    model_config = ConfigDict(
        extra="allow", strict=True, frozen=True, hide_input_in_errors=True, json_schema_extra=_add_documented
    )

    max_values: ClassVar[int] = 10_000

    messages: Annotated[
        list[Message],
        Field(
            min_length=1,
            max_length=MAX_MESSAGES,
            fail_fast=True,
            description=(
                "The last user message is the question; system and developer messages are wishes about the language "
                "and form of the answer, which language models follow; others are ignored."
            ),
        ),
    ]
    model: Annotated[str, Field(max_length=256, description="Any name; the answer repeats it.")] = MODEL
    stream: bool = Field(default=False, description="Answer as server-sent events.")
    stream_options: StreamOptions = Field(
        default=StreamOptions(), description="`include_usage`: a last event with the tokens used, if they are known."
    )
    top_k: TopK = DEFAULT_TOP_K
    strict: bool | None = Field(
        default=None,
        description="Refuse parameters that have no effect. Absent: as the server says (`server.strict_parameters`).",
    )

    @property
    def asker(self) -> object:
        """What names who asks: `safety_identifier`, or `user`, which OpenAI replaced by it; None without either."""
        given = self.model_extra or {}
        return given.get("safety_identifier") or given.get("user")

    def ignored(self) -> list[str]:
        """What the request asked for in vain, by name."""
        given = self.model_extra or {}
        names = [name[:100] for name, value in given.items() if _asks_for_something(name, value)]
        return [*names, *wishes_in(self.messages)[1]][:MAX_NAMED]

    def refuse(self, ignored: Sequence[str]) -> None:
        """Raises Problem for the first of what is `ignored`, if there is anything."""
        for name in ignored:
            is_unknown = name in (self.model_extra or {}) and name not in NO_EFFECT
            why = "is not a field of this request" if is_unknown else "has no effect here"
            raise invalid(f"{name}: {why}; leave it out, or do not ask for `strict`", name)


def _asks_for_something(name: str, value: object) -> bool:
    return value is not None and name not in LABELS and value not in NO_EFFECT.get(name, ())
