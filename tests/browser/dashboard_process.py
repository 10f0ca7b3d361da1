"""The dashboard as a separate process; can be killed and restarted."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from tests.fleet.processes import Process, until_ready
from tests.ports import free_port


class DashboardProcess(Process):
    """`python -m workers.dashboard` on the Redis of a fleet. It keeps its port over restarts."""

    def __init__(self, folder: Path, redis_url: str, secrets: Mapping[str, str] = {}) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "dashboard.toml"
        config.write_text(f'[fleet]\nredis_url = "{redis_url}"\nnamespace = "test"\n')
        command = [sys.executable, "-m", "workers.dashboard", "--port", str(port), "--config", str(config)]
        super().__init__("dashboard", command, folder, {"HA_RAG_REPLICA": "dashboard", **secrets})

    def with_secrets(self, secrets: Mapping[str, str]) -> DashboardProcess:
        """Sets these secrets in its environment for the next start."""
        self._environment |= secrets
        return self

    async def started(self) -> DashboardProcess:
        """Starts it, and waits until it serves."""
        self.start()
        await until_ready(self._serves, self)
        return self

    async def _serves(self) -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/health/live") as reply:
                return reply.status == 200
        except aiohttp.ClientError:
            return False
