"""The service behind all contenders: it answers chat completions, fails on command and logs every call it receives.

    python -m benchmarks.peers.service --port 9000

`PUT /mode {"mode": "ok" | "error" | "hang" | "slow", "delay_s": 0.5}` changes it; calls that hang when the mode changes
are answered then. `GET /calls` lists when each call arrived and ended, on the machine's monotonic clock.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass, field

from aiohttp import web

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


@dataclass
class Service:
    """`calls`: [arrived, ended] of each; `ended` is None while it is in progress, or if its caller left."""

    mode: str = "ok"
    delay_s: float = 0.0
    calls: list[list[float | None]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def chat(self, request: web.Request) -> web.Response:
        await request.read()
        call: list[float | None] = [time.monotonic(), None]
        self.calls.append(call)
        while self.mode == "hang":
            await self.changed.wait()
        if self.mode == "slow":
            await asyncio.sleep(self.delay_s)
        call[1] = time.monotonic()
        if self.mode == "error":
            return web.json_response({"error": {"message": "down", "type": "server_error"}}, status=500)
        return web.json_response(ANSWER)

    async def change(self, request: web.Request) -> web.Response:
        given = await request.json()
        self.mode, self.delay_s = given["mode"], given.get("delay_s", 0.0)
        self.changed.set()
        self.changed = asyncio.Event()
        return web.json_response({"changed_s": time.monotonic()})

    async def list(self, _: web.Request) -> web.Response:
        return web.json_response(self.calls)


def main() -> None:
    """Serves until stopped."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--port", type=int, required=True)
    service, app = Service(), web.Application()
    app.router.add_post("/v1/chat/completions", service.chat)
    app.router.add_put("/mode", service.change)
    app.router.add_get("/calls", service.list)
    port = arguments.parse_args().port
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None, handler_cancellation=True)


if __name__ == "__main__":
    main()
