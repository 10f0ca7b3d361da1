"""A fleet of real processes for tests: redis-server, the simulated provider, and replicas that share circuits."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.fleet.control import Remote
from tests.fleet.latency import timed
from tests.fleet.proxy import Wire
from tests.ports import free_port
from tests.redis_servers import RedisProcess

HA_RAG = [sys.executable, "-m", "ha_rag"]

START_S = 120.0
"""At most: a busy machine takes its time to start four programs at once."""
STOP_S = 10.0

CONFIGURATION = """\
[fleet]
redis_url = "{redis_url}"
namespace = "test"

[index]
path = "{index}"

[circuit]
min_samples = 3
{circuit}

[[embedders]]
name = "primary"
kind = "openai"
base_url = "{provider}/v1"
model = "text-embedding-3-small"
dimension = 256
timeout_s = 0.8

[[embedders]]
name = "secondary"
kind = "hashing"

[[retrievers]]
name = "primary"
kind = "local"

[[retrievers]]
name = "lexical"
kind = "lexical"

[[generators]]
name = "primary"
kind = "openai"
base_url = "{provider}/v1"
model = "gpt-4o-mini"
timeout_s = 0.8

[[generators]]
name = "extractive"
kind = "extractive"
"""

CIRCUIT = "recovery_timeout_s = 1.8\nrecovery_timeout_max_s = 1.8"

QUESTION = "How does a circuit recover?"

DOCUMENTS = {
    "recovery.md": "# Recovery\n\nA circuit recovers by a probe: after its recovery timeout one call is let through.\n",
    "tiers.md": "# Tiers\n\nWhen a service is out, the next tier answers, and the answer says that it is degraded.\n",
}


class Process:
    """One child process, whose output is kept for the failure report."""

    def __init__(self, name: str, command: list[str], folder: Path, environment: Mapping[str, str] = {}) -> None:
        self.name = name
        self._command = command
        self._log = folder / f"{name}.log"
        self._environment = {**os.environ, "NO_COLOR": "1", **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = folder / f"{name}.sock"

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    def start(self) -> None:
        # Those of our own that read stdin end when it ends: nothing outlives a test run that was killed.
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=self._environment
            )

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def pause(self) -> None:
        """Stands still (SIGSTOP) until `resume`."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ends it politely, then by force; also a process that was paused."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._ended(self._process)

    def kill(self) -> None:
        """Ends it as a crash would."""
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._ended(self._process)

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        self._process = None

    async def remote(self) -> Remote:
        """A connection to what it can be asked over its socket."""
        try:
            return await Remote.open(self.socket, lambda: self.runs)
        except (OSError, TimeoutError) as error:
            raise AssertionError(f"{self.name} did not start: {error}\n{self.said()}") from None

    def said(self) -> str:
        """The last lines it wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-40:]) if self._log.exists() else ""


class Controls:
    """What a running provider does wrong, and what it counted. `target`: "embeddings", "chat" or "rerank"."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self._session = session

    async def fail(self, target: str, mode: str = "error", **more: Any) -> None:
        """Makes every call to `target` fail from now on."""
        fault = {"mode": mode, "rate": 1.0, "for_s": 120, **more}
        async with self._session.put(f"{self.url}/faults/{target}", json=fault) as reply:
            assert reply.status == 200, await reply.text()

    async def mend(self) -> None:
        async with self._session.delete(f"{self.url}/faults") as reply:
            assert reply.status == 200

    async def forget(self) -> None:
        """Well again, and nothing counted."""
        await self.mend()
        async with self._session.delete(f"{self.url}/counts") as reply:
            assert reply.status == 200

    async def calls(self, target: str = "chat") -> int:
        """How many calls it has received."""
        async with self._session.get(f"{self.url}/counts?last=0") as reply:
            return int((await reply.json())[target]["received"])

    async def arrivals(self, target: str = "chat") -> list[dict[str, Any]]:
        """Every call it received: `outcome` (the fault it met, or "ok"), `replica`, `monotonic_ms`."""
        async with self._session.get(f"{self.url}/counts") as reply:
            return [arrival for arrival in (await reply.json())["arrivals"] if arrival["target"] == target]

    async def answers(self) -> bool:
        try:
            async with self._session.get(f"{self.url}/faults") as reply:
                return reply.status == 200
        except aiohttp.ClientError:
            return False


class Provider(Process):
    """The simulated provider. `more`: further words on its command line."""

    def __init__(self, folder: Path, *more: str) -> None:
        port = free_port()
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        super().__init__("provider", [sys.executable, "-m", "ha_rag.simulation", "--port", str(port), *more], folder)


class Replica(Process):
    """One replica, asked over HTTP. `environment`: further variables of its process."""

    def __init__(self, name: str, folder: Path, config: Path, environment: Mapping[str, str] = {}) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [*HA_RAG, "serve", "--port", str(port), "--config", str(config)]
        super().__init__(name, command, folder, {**environment, "HA_RAG_REPLICA": name})
        self._place = folder, config

    def beside(self, name: str) -> Replica:
        """Another replica of the same fleet, not started."""
        made = Replica(name, *self._place)
        made.reached_by(self._session)
        return made

    def reached_by(self, session: aiohttp.ClientSession) -> None:
        """Asks through this session from now on."""
        self._session = session

    async def ask(self, question: str = QUESTION, **more: Any) -> dict[str, Any]:
        async with self._session.post(f"{self.url}/v1/query", json={"question": question, **more}) as reply:
            body = await reply.json()
            assert reply.status == 200, body
            return dict(body)

    async def status(self, **more: Any) -> int:
        """Asks, and answers only the HTTP status."""
        async with self._session.post(f"{self.url}/v1/query", json={"question": QUESTION, **more}) as reply:
            await reply.read()
            return reply.status

    async def leave_stream(self) -> bool:
        """Asks for a streamed answer and hangs up once the first piece of its text is here; whether more was to come"""
        body = {"messages": [{"role": "user", "content": QUESTION}], "stream": True}
        async with self._session.post(f"{self.url}/v1/chat/completions", json=body) as reply:
            async for line in reply.content:
                if line.startswith(b"data: {") and json.loads(line[6:])["choices"][0]["delta"].get("content"):
                    return not reply.content.is_eof()
        raise AssertionError("a stream without any text")

    async def stream(self) -> list[str]:
        """Asks for a streamed answer; what came in each event, to the end."""
        body = {"messages": [{"role": "user", "content": QUESTION}], "stream": True}
        async with self._session.post(f"{self.url}/v1/chat/completions", json=body) as reply:
            assert reply.status == 200, await reply.text()
            lines = [line.decode().strip() async for line in reply.content]
        return [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]

    async def circuits(self) -> dict[str, Any]:
        async with self._session.get(f"{self.url}/v1/circuits") as reply:
            return dict(await reply.json())

    async def circuit(self, name: str) -> dict[str, Any]:
        async with self._session.get(f"{self.url}/v1/circuits/{name}") as reply:
            return dict(await reply.json())

    async def health(self) -> dict[str, Any]:
        async with self._session.get(f"{self.url}/health") as reply:
            assert reply.status == 200, "whatever is out"
            return dict(await reply.json())

    async def override(self, name: str) -> None:
        """Lets every call pass, by hand, and gives the circuit back to the law."""
        word = {"mode": "closed", "reason": "a test begins"}
        await self._said("PUT", name, word)
        await self._said("DELETE", name, {})

    async def order(self, name: str, mode: str, reason: str, for_s: float | None = None) -> dict[str, Any]:
        """Says an operator's word to this replica; what it answers."""
        url, word = f"{self.url}/v1/circuits/{name}/override", {"mode": mode, "reason": reason, "for_s": for_s}
        async with self._session.put(url, json=word) as reply:
            assert reply.status == 200, await reply.text()
            return dict(await reply.json())

    async def end_order(self, name: str) -> dict[str, Any]:
        """Takes it back."""
        async with self._session.delete(f"{self.url}/v1/circuits/{name}/override", json={}) as reply:
            assert reply.status == 200, await reply.text()
            return dict(await reply.json())

    async def fleet(self) -> dict[str, Any]:
        """What it shows of the whole fleet."""
        async with self._session.get(f"{self.url}/v1/fleet") as reply:
            return dict(await reply.json())

    async def timeline(self) -> list[dict[str, Any]]:
        """The events that it shows, newest first."""
        async with self._session.get(f"{self.url}/v1/fleet") as reply:
            return list((await reply.json())["timeline"])

    async def _said(self, method: str, name: str, word: dict[str, str]) -> None:
        """Says an operator's word until it is taken: on a busy machine Redis may answer too late for it."""
        while True:
            url = f"{self.url}/v1/circuits/{name}/override"
            async with self._session.request(method, url, json=word) as reply:
                if reply.status == 200:
                    return
                assert reply.status == 503, await reply.text()
            await asyncio.sleep(0.2)

    async def ready(self) -> bool:
        try:
            async with self._session.get(f"{self.url}/health/ready") as reply:
                return reply.status == 200
        except aiohttp.ClientError:
            return False


class Fleet:
    """Everything together. `replicas` run; `provider`, `redis` and the wire to it may be broken at will."""

    def __init__(
        self, redis: RedisProcess, to_redis: Wire, provider: Controls, provider_pid: int, replicas: list[Replica]
    ) -> None:
        self.redis = redis
        self.to_redis = to_redis
        self.provider = provider
        self.replicas = replicas
        self._provider_pid = provider_pid

    def timed(self, replica: Replica, into: list[float]) -> AbstractContextManager[None]:
        """Notes how many ms a question to that replica takes, whatever else the machine does."""
        return timed(into, os.getpid(), replica.pid, self._provider_pid)

    async def until_all(self, state: str, circuit: str, within_s: float, ask: bool = False) -> None:
        """Waits until every replica answers that the circuit is in `state`; asking questions meanwhile if told to."""
        async with asyncio.timeout(within_s):
            while True:
                if ask:
                    await asyncio.gather(*(replica.ask() for replica in self.replicas))
                seen = [(await replica.circuit(circuit))["state"] for replica in self.replicas]
                if set(seen) == {state}:
                    return
                await asyncio.sleep(0.05)

    async def believed(self, circuit: str) -> list[tuple[str, int, Any]]:
        """What each replica believes of it, and what its own calls meet if that is something else.

        An opening that has been closed again shows in the epoch.
        """
        seen = [await replica.circuit(circuit) for replica in self.replicas]
        return [(one["state"], one["epoch"], one["here"]) for one in seen]

    async def close(self, circuit: str, within_s: float) -> None:
        """Closes it with an empty window, whatever was counted before: an operator's word that is taken back."""
        async with asyncio.timeout(within_s):
            await self.replicas[0].override(circuit)
            while any([(await replica.circuit(circuit))["here"] for replica in self.replicas]):
                await asyncio.gather(*(replica.ask() for replica in self.replicas))
            await self.replicas[0].override(circuit)
            # What was said to one replica is heard by the others a moment later.
            while {self._met(await replica.circuit(circuit)) for replica in self.replicas} != {("closed", False)}:
                await asyncio.sleep(0.01)

    @staticmethod
    def _met(circuit: dict[str, Any]) -> tuple[str, bool]:
        return circuit["state"], circuit["override"] is not None

    async def until_shared(self, within_s: float) -> None:
        """Waits until every replica hears Redis."""
        async with asyncio.timeout(within_s):
            while {(await replica.circuits())["shared_state"] for replica in self.replicas} != {"fresh"}:
                await asyncio.sleep(0.05)


class StandingFleet:
    """Replicas with two small documents, and a Redis of their own; started once, and made well again for each test.

    `proxy`: the process through which they reach Redis. `more`: further tables of their configuration.
    """

    def __init__(
        self, folder: Path, provider: Provider, proxy: Process, *, size: int = 3, circuit: str = CIRCUIT, more: str = ""
    ) -> None:
        self.redis = RedisProcess(folder)
        self._provider = provider
        self._proxy = proxy
        self._wire = asyncio.run(self._lay_wire())
        url = f"redis://127.0.0.1:{self._wire}/0"
        config = folder / "ha_rag.toml"
        config.write_text(
            (CONFIGURATION + more).format(redis_url=url, index=folder / "index", provider=provider.url, circuit=circuit)
        )
        self._folder, self._config = folder, config
        self._replicas = [Replica(f"rag-{n}", folder, config) for n in range(1, size + 1)]

    async def _lay_wire(self) -> int:
        remote = await self._proxy.remote()
        port = int(await remote("route", to=self.redis.port, kept=True))
        await remote.aclose()
        return port

    def start(self) -> None:
        self.redis.start()
        _ingest(self._folder, self._config)

    def copy_index(self, folder: Path) -> None:
        """A copy of its index, which took a while to build."""
        shutil.copytree(self._folder / "index", folder)

    def stop(self) -> None:
        for replica in self._replicas:
            replica.stop()
        self.redis.kill()

    @asynccontextmanager
    async def well(self) -> AsyncIterator[Fleet]:
        """The fleet with everything running, nothing broken, nothing counted and every circuit closed."""
        proxy = await self._proxy.remote()
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
                provider = Controls(self._provider.url, session)
                fleet = Fleet(self.redis, Wire(proxy, self._wire), provider, self._provider.pid, self._replicas)
                await self._mend(fleet, session)
                yield fleet
        except BaseException:
            print(*(f"--- {replica.name}\n{replica.said()}" for replica in self._replicas), sep="\n")
            raise
        finally:
            await proxy.aclose()

    async def _mend(self, fleet: Fleet, session: aiohttp.ClientSession) -> None:
        for replica in fleet.replicas:
            replica.reached_by(session)
            if not replica.runs:
                replica.start()
        await fleet.provider.forget()
        for replica in fleet.replicas:
            await until_ready(replica.ready, replica)
        await fleet.until_shared(START_S)
        for circuit in ("embedder.primary", "generator.primary"):
            await fleet.close(circuit, START_S)
        await fleet.provider.forget()


def _ingest(folder: Path, config: Path) -> None:
    documents = folder / "documents"
    documents.mkdir()
    for name, text in DOCUMENTS.items():
        (documents / name).write_text(text)
    command = [*HA_RAG, "ingest", str(documents), "--config", str(config)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=START_S)
    assert done.returncode == 0, done.stdout + done.stderr


async def is_ready(url: str) -> bool:
    """Whether the server there says that it is ready."""
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(f"{url}/health/ready") as reply:
                return reply.status == 200
        except aiohttp.ClientError:
            return False


async def until_ready(ready: Any, process: Process) -> None:
    try:
        async with asyncio.timeout(START_S):
            while not await ready():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{process.name} was not ready within {START_S:g} s:\n{process.said()}") from None
