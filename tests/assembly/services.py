"""A replica whose embedder and generator are services of the simulated provider, over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.replica import Replica, build_replica
from ha_rag.simulation.provider import RunningProvider, running_provider

CONFIGURATION = """
[[embedders]]
name = "primary"
kind = "openai"
base_url = "{url}"
model = "text-embedding-3-small"
dimension = 256
[embedders.circuit]
min_samples = 1
recovery_timeout_s = 0.05
[[embedders]]
name = "secondary"
kind = "local"
[[generators]]
name = "primary"
kind = "openai"
base_url = "{url}"
model = "gpt-4o-mini"
[[generators]]
name = "extractive"
kind = "extractive"
"""


@asynccontextmanager
async def replica_over_services(
    folder: Path, variables: Mapping[str, str] | None = None, *, more: str = ""
) -> AsyncIterator[tuple[Replica, RunningProvider]]:
    """The replica and its provider; `folder` is where its configuration and its index are. `more`: further tables."""
    async with running_provider() as provider:
        file = folder / "ha_rag.toml"
        file.write_text(f'[index]\npath = "{folder / "index"}"\n' + CONFIGURATION.format(url=provider.base_url) + more)
        settings = load_settings(file, variables={"HA_RAG_REPLICA": "rag-1", **(variables or {})})
        async with build_replica(settings).running() as replica:
            yield replica, provider
