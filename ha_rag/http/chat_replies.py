"""The replies in OpenAI's form, for the OpenAPI description only (see `replies`)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from ha_rag.http.replies import QueryReply


class MessageReply(BaseModel):
    """The answer's text."""

    role: Literal["assistant"]
    content: str


class ChoiceReply(BaseModel):
    """The one answer there is."""

    index: Literal[0]
    message: MessageReply
    finish_reason: Literal["stop"]


class ChatReply(BaseModel):
    """A whole answer; `ha_rag`: what `/v1/query` replies."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChoiceReply]
    ha_rag: QueryReply


class ModelReply(BaseModel):
    """A model."""

    id: str
    object: Literal["model"]
    owned_by: str


class ModelsReply(BaseModel):
    """All models."""

    object: Literal["list"]
    data: list[ModelReply]
