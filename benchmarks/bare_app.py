"""The baseline: an aiohttp server that only makes two upstream calls per request."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator

from aiohttp import ClientSession, TCPConnector, web

SESSION = web.AppKey("session", ClientSession)
PROVIDER = web.AppKey("provider", str)


async def ask(request: web.Request) -> web.Response:
    """Embeds the question, generates an answer and returns it."""
    question = (await request.json())["question"]
    session, provider = request.app[SESSION], request.app[PROVIDER]
    embed = {"model": "text-embedding-3-small", "input": question, "dimensions": 256}
    async with session.post(f"{provider}/v1/embeddings", json=embed) as reply:
        await reply.json()
    chat = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}]}
    async with session.post(f"{provider}/v1/chat/completions", json=chat) as reply:
        answer = await reply.json()
    return web.json_response({"answer": answer["choices"][0]["message"]["content"]})


async def session_of(app: web.Application) -> AsyncIterator[None]:
    """One session for the lifetime of the app."""
    async with ClientSession(connector=TCPConnector(limit=256)) as session:
        app[SESSION] = session
        yield


def main() -> None:
    """Serves until stopped."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--provider", required=True)
    given = arguments.parse_args()
    app = web.Application()
    app[PROVIDER] = given.provider
    app.router.add_post("/v1/query", ask)
    app.cleanup_ctx.append(session_of)
    web.run_app(app, host="127.0.0.1", port=given.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
