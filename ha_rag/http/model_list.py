"""GET /v1/models and /v1/models/{id}: the OpenAI-compatible list of models, which has one entry."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from ha_rag.http.chat_parameters import MODEL
from ha_rag.http.openapi import errors
from ha_rag.http.problems import not_found
from ha_rag.http.replies import ModelReply, ModelsReply
from ha_rag.http.wire import json_response

CREATED = 1_795_907_370
"""When `ha_rag` was first released (Unix time in seconds). OpenAI's models have such a time; some clients need it."""

ENTRY = {"id": MODEL, "object": "model", "created": CREATED, "owned_by": "ha_rag"}

ModelId = Annotated[str, Path(examples=[MODEL], description="Its id, as in `/v1/models`.")]


def model_routes(_: object) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["OpenAI-compatible"])

    @routes.get(
        "/v1/models",
        summary="List the models (OpenAI-compatible)",
        responses={200: {"model": ModelsReply}, **errors(401)},
    )
    async def models() -> Response:
        """There is one model: the whole pipeline, whichever tiers serve it."""
        return json_response({"object": "list", "data": [ENTRY]})

    @routes.get(
        "/v1/models/{model}",
        summary="One model (OpenAI-compatible)",
        responses={200: {"model": ModelReply}, **errors(401, 404)},
    )
    async def one(model: ModelId) -> Response:
        if model != MODEL:
            raise not_found(f"there is no model {model[:100]!r}; the only one is {MODEL!r}", "model")
        return json_response(ENTRY)

    return routes
