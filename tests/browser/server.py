"""The dashboard as a process of its own, with the secrets that a test wants; may be killed and started again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from tests.fleet.processes import Process, until_ready
from tests.ports import free_port


class Server(Process):
    """`python -m workers.dashboard` over the Redis of a fleet. Its port outlives a restart."""

    def __init__(self, folder: Path, redis_url: str, secrets: Mapping[str, str] = {}) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "dashboard.toml"
        config.write_text(f'[fleet]\nredis_url = "{redis_url}"\nnamespace = "test"\n')
        command = [sys.executable, "-m", "workers.dashboard", "--port", str(port), "--config", str(config)]
        super().__init__("dashboard", command, folder, {"HA_RAG_REPLICA": "dashboard", **secrets})

    def keeping(self, secrets: Mapping[str, str]) -> Server:
        """It, with these secrets in its environment from the next start on."""
        self._environment |= secrets
        return self

    async def started(self) -> Server:
        """It, once it serves."""
        self.start()
        await until_ready(self._serves, self)
        return self

    async def _serves(self) -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/health/live") as reply:
                return reply.status == 200
        except aiohttp.ClientError:
            return False
