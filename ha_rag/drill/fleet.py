"""The fleet under test: three replicas with Redis and a simulated provider, and the faults that a drill causes."""

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
from pydantic import TypeAdapter
from rich.console import Console

from ha_rag.drill.configuration import Timing, fleet_configuration
from ha_rag.errors import ConfigurationError
from ha_rag.local_fleet.narrator import Narrator
from ha_rag.local_fleet.plan import LOOPBACK, FleetPlan
from ha_rag.local_fleet.supervisor import Supervisor
from ha_rag.monitor.snapshot import FleetSnapshot

REPLICAS = 3
START_S = 60.0
HEALTH_TIMEOUT_S = 0.5
FAULT_S = 600.0
"""When a fault of the provider expires, should the drill fail to end it."""

_SNAPSHOTS = TypeAdapter(FleetSnapshot)


@dataclass(frozen=True, slots=True)
class ReplicaHealth:
    """A replica's own report. `states`: circuit -> state. `shared_state`: how fresh its copy of Redis is."""

    states: dict[str, str]
    shared_state: str

    @property
    def healthy(self) -> bool:
        """Whether all circuits are closed and the shared state is fresh."""
        return self.shared_state == "fresh" and all(state == "closed" for state in self.states.values())


class DrillFleet:
    """The running fleet. `replicas`: name -> URL. `url`: the fleet's address. For one event loop; POSIX only.

    All faults raise ConfigurationError if they cannot be caused.
    """

    def __init__(self, plan: FleetPlan, supervisor: Supervisor, session: aiohttp.ClientSession) -> None:
        self.url = plan.url
        self.replicas = {
            plan.replica_name(n): f"http://{LOOPBACK}:{plan.replica_port(n)}" for n in range(1, REPLICAS + 1)
        }
        self._provider = f"http://{LOOPBACK}:{plan.provider_port}"
        self._supervisor = supervisor
        self._session = session

    # ---- faults -----------------------------------------------------------------------------------------------------

    async def start_fault(self, target: str, **fault: Any) -> None:
        """Makes the provider fail at `target` ("embeddings" or "chat"). `fault`: ha_rag/simulation/faults.py."""
        await self._send("PUT", f"{self._provider}/faults/{target}", {"for_s": FAULT_S, **fault})

    async def end_faults(self) -> None:
        """Ends all faults of the provider."""
        await self._send("DELETE", f"{self._provider}/faults")

    async def override_open(self, circuit: str) -> None:
        """Opens a circuit by override, at each replica: it is one that they do not share."""
        body = {"mode": "open", "reason": "a drill"}
        for url in self.replicas.values():
            await self._send("PUT", f"{url}/v1/circuits/{circuit}/override", body)

    async def remove_override(self, circuit: str) -> None:
        """Removes the override at each replica."""
        for url in self.replicas.values():
            await self._send("DELETE", f"{url}/v1/circuits/{circuit}/override")

    def kill(self, name: str) -> None:
        """Kills a process (SIGKILL). The supervisor starts it again."""
        self._signal(name, signal.SIGKILL)

    def suspend(self, name: str) -> None:
        """Suspends a process (SIGSTOP)."""
        self._signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Resumes a suspended process (SIGCONT)."""
        self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self._supervisor.process_of(name), number)

    async def _send(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> None:
        async with self._session.request(method, url, json=body or {}) as reply:
            if reply.status >= 300:
                raise ConfigurationError(f"{method} {url}: HTTP {reply.status} {(await reply.text())[:200]}")

    # ---- observations -----------------------------------------------------------------------------------------------

    async def calls_received(self, targets: tuple[str, ...]) -> int:
        """How many calls these endpoints of the provider have received so far."""
        async with self._session.get(f"{self._provider}/counts?last=0") as reply:
            counts = await reply.json()
        return sum(int(counts[target]["received"]) for target in targets)

    async def health(self) -> dict[str, ReplicaHealth]:
        """The health of each replica that answers within half a second, in the form that is expected."""
        reports = await asyncio.gather(*(self._health(url) for url in self.replicas.values()))
        return {name: report for name, report in zip(self.replicas, reports, strict=True) if report is not None}

    async def picture(self) -> FleetSnapshot | None:
        """The fleet, as a replica shows it; None if none does within half a second."""
        for url in self.replicas.values():
            with suppress(aiohttp.ClientError, TimeoutError, ValueError):
                timeout = aiohttp.ClientTimeout(total=HEALTH_TIMEOUT_S)
                async with self._session.get(f"{url}/v1/fleet", timeout=timeout) as reply:
                    return _SNAPSHOTS.validate_json(await reply.read())
        return None

    async def _health(self, url: str) -> ReplicaHealth | None:
        # /health answers from memory: watching a replica does not make it read Redis any sooner.
        with suppress(aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError):
            timeout = aiohttp.ClientTimeout(total=HEALTH_TIMEOUT_S)
            async with self._session.get(f"{url}/health", timeout=timeout) as reply:
                report = await reply.json()
                states = {str(part["circuit"]): str(part["state"]) for part in report["components"]}
                return ReplicaHealth(states, str(report["shared_state"]))
        return None


@asynccontextmanager
async def running_fleet(environment: Mapping[str, str], timing: Timing) -> AsyncIterator[DrillFleet]:
    """Starts the fleet on free ports with a temporary folder, and stops it at the end. Raises ConfigurationError."""
    with tempfile.TemporaryDirectory(prefix="ha-rag-drill-") as name:
        folder = Path(name)
        plan = FleetPlan(
            environment={name: value for name, value in environment.items() if not name.startswith("HA_RAG_")},
            replicas=REPLICAS,
            provider=True,
            configuration=partial(fleet_configuration, timing),
            samples=True,
            folder=folder,
            any_port=True,
        ).on_free_ports()
        (folder / "logs").mkdir()
        async with aiohttp.ClientSession() as session:
            supervisor = Supervisor(plan, folder, session, Narrator(Console(quiet=True)))
            running = asyncio.create_task(supervisor.run())
            try:
                await _until_ready(supervisor, running)
                yield DrillFleet(plan, supervisor, session)
            finally:
                supervisor.stop()
                await running


async def _until_ready(supervisor: Supervisor, running: asyncio.Task[int]) -> None:
    ready = asyncio.create_task(supervisor.was_ready.wait())
    await asyncio.wait([ready, running], timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if not supervisor.was_ready.is_set():
        raise ConfigurationError("the fleet for the drill did not start; `ha-rag up` shows why")
