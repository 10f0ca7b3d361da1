"""Ground: the fleet that is drilled, and everything that can be done to it."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from ha_rag.drill.configuration import Tempo, drilled_configuration
from ha_rag.errors import ConfigurationError
from ha_rag.local_fleet.narrator import Narrator
from ha_rag.local_fleet.plan import LOOPBACK, FleetPlan
from ha_rag.local_fleet.samples import sample_documents
from ha_rag.local_fleet.supervisor import Supervisor

REPLICAS = 3
START_S = 60.0
ASK_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Sight:
    """One replica at a moment. `states`: circuit -> what its calls meet. `shared`: how fresh its belief is."""

    states: dict[str, str]
    shared: str

    @property
    def well(self) -> bool:
        """Whether all is closed and shared."""
        return self.shared == "fresh" and all(state == "closed" for state in self.states.values())


class Ground:
    """A fleet of three replicas with its own Redis and provider. For one event loop. POSIX only: it sends signals."""

    def __init__(self, plan: FleetPlan, supervisor: Supervisor, session: aiohttp.ClientSession) -> None:
        self.url = plan.url
        self.replicas = {
            plan.replica_name(n): f"http://{LOOPBACK}:{plan.replica_port(n)}" for n in range(1, REPLICAS + 1)
        }
        self._provider = f"http://{LOOPBACK}:{plan.provider_port}"
        self._supervisor = supervisor
        self._session = session

    # ---- what is done to it -----------------------------------------------------------------------------------------

    async def break_(self, target: str, **fault: Any) -> None:
        """The provider fails at `target` ("embeddings" or "chat") from now on."""
        await self._said("PUT", f"{self._provider}/faults/{target}", {"for_s": 600, **fault})

    async def mend(self) -> None:
        """The provider is well."""
        await self._said("DELETE", f"{self._provider}/faults")

    async def take_out(self, circuit: str) -> None:
        """An operator opens a circuit that belongs to each replica, at each of them."""
        word = {"mode": "open", "reason": "a drill"}
        for url in self.replicas.values():
            await self._said("PUT", f"{url}/v1/circuits/{circuit}/override", word)

    async def give_back(self, circuit: str) -> None:
        """Ends that."""
        for url in self.replicas.values():
            await self._said("DELETE", f"{url}/v1/circuits/{circuit}/override")

    def kill(self, name: str) -> None:
        """Ends a process without a word; it is started again by who watches over it."""
        self._signal(name, signal.SIGKILL)

    def freeze(self, name: str) -> None:
        """Stops a process where it stands."""
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Lets it go on."""
        self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self._supervisor.process_of(name), number)

    async def _said(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> None:
        async with self._session.request(method, url, json=body or {}) as reply:
            if reply.status >= 300:
                raise ConfigurationError(f"{method} {url}: HTTP {reply.status} {(await reply.text())[:200]}")

    # ---- what is seen of it -----------------------------------------------------------------------------------------

    async def received(self, targets: tuple[str, ...]) -> int:
        """How many calls have reached these services."""
        async with self._session.get(f"{self._provider}/counts?last=0") as reply:
            counts = await reply.json()
        return sum(int(counts[target]["received"]) for target in targets)

    async def look(self) -> dict[str, Sight]:
        """What each replica tells of itself. One that does not answer is left out."""
        told = await asyncio.gather(*(self._health(url) for url in self.replicas.values()))
        return {
            name: Sight({part["circuit"]: part["state"] for part in health["components"]}, health["shared_state"])
            for name, health in zip(self.replicas, told, strict=True)
            if health is not None
        }

    async def _health(self, url: str) -> dict[str, Any] | None:
        # Read from a replica's memory: what looks on here must not bring it any news.
        with suppress(aiohttp.ClientError, TimeoutError):
            timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
            async with self._session.get(f"{url}/health", timeout=timeout) as reply:
                return dict(await reply.json())
        return None


@asynccontextmanager
async def standing_ground(environment: Mapping[str, str], tempo: Tempo) -> AsyncIterator[Ground]:
    """Starts the fleet on free ports, in a folder of its own; ends all of it. Raises ConfigurationError."""
    with tempfile.TemporaryDirectory(prefix="ha-rag-drill-") as name:
        folder = Path(name)
        plan = FleetPlan(
            environment={name: value for name, value in environment.items() if not name.startswith("HA_RAG_")},
            replicas=REPLICAS,
            provider=True,
            configuration=partial(drilled_configuration, tempo),
            samples=sample_documents(),
            folder=folder,
            any_port=True,
        ).on_free_ports()
        (folder / "logs").mkdir()
        async with aiohttp.ClientSession() as session:
            supervisor = Supervisor(plan, folder, session, Narrator(Console(quiet=True)))
            running = asyncio.create_task(supervisor.run())
            try:
                await _until_ready(supervisor, running)
                yield Ground(plan, supervisor, session)
            finally:
                supervisor.stop()
                await running


async def _until_ready(supervisor: Supervisor, running: asyncio.Task[int]) -> None:
    ready = asyncio.create_task(supervisor.was_ready.wait())
    await asyncio.wait([ready, running], timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if not supervisor.was_ready.is_set():
        raise ConfigurationError("the fleet to be drilled did not start; ha-rag up shows what is in its way")
