"""Code executed by one question and by one trip: files, functions, calls and the deepest stack.

    python -m benchmarks.call_trace [--list]

One replica in this process, with Redis and the simulated provider in their own processes. A question goes through the
HTTP application; a trip is one failing call of a breaker that opens on the first failure, until it is open. Counted by
`sys.setprofile` after a warm-up, so one-time work is left out; of twenty questions the one with the fewest calls is
told, since reports and polls at intervals fall into some of them. `--list` names every function.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.one_question import CONFIGURATION, QUESTION
from benchmarks.own_redis import free_port, own_redis
from benchmarks.processes import program, ready
from benchmarks.report.rows import Row, publish
from ha_rag import CircuitPolicy
from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.replica import build_replica

QUESTIONS = 20
PACKAGE = str(Path(__file__).parent.parent / "ha_rag") + os.sep


class Trace:
    """The package's functions that ran within the block, on the thread of the event loop."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.deepest = 0

    def __enter__(self) -> Trace:
        sys.setprofile(self._seen)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _seen(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(PACKAGE):
            return
        self.calls[f"{code.co_filename.removeprefix(PACKAGE)}:{code.co_qualname}"] += 1
        depth, outer = 0, frame.f_back
        while outer is not None:
            depth += outer.f_code.co_filename.startswith(PACKAGE)
            outer = outer.f_back
        self.deepest = max(self.deepest, depth + 1)

    def row(self, what: str) -> str:
        """One line of the table."""
        files, functions, calls, deepest = self.counts().values()
        return f"{what:12}{files:8}{functions:12}{calls:8}{deepest:10}"

    def counts(self) -> dict[str, int]:
        files = {name.partition(":")[0] for name in self.calls}
        return {
            "files": len(files),
            "functions": len(self.calls),
            "calls": self.calls.total(),
            "deepest stack": self.deepest,
        }


async def ask(app: Callable[..., Awaitable[None]]) -> None:
    """Sends one question to the ASGI application, as a server does."""
    body = json.dumps(QUESTION).encode()
    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/v1/query", "raw_path": b"/v1/query", "root_path": "", "query_string": b"", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000),
    }  # fmt: skip
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()  # a disconnect would end the request
        return messages.pop()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if sent[0]["status"] != 200:
        sys.exit(f"the question was answered with {sent}")


async def traced(app: Callable[..., Awaitable[None]]) -> Trace:
    """One question."""
    with Trace() as trace:
        await ask(app)
    return trace


async def failing() -> None:
    """The call that opens a circuit."""
    raise ConnectionError("down")


async def trip(circuits: Any, name: str) -> None:
    """Fails once and waits until the circuit is open."""
    breaker = circuits.breaker(name, CircuitPolicy(min_samples=1))
    await breaker.call(asyncio.sleep, 0)
    with contextlib.suppress(ConnectionError):
        await breaker.call(failing)
    async with asyncio.timeout(5):
        while not any(report.name == name and report.state == "open" for report in circuits.snapshot()):
            await asyncio.sleep(0.001)


async def measure(redis_url: str, folder: Path, *, list_functions: bool) -> None:
    """Traces both, and prints the table."""
    port = free_port()
    config = folder / "ha_rag.toml"
    provider = f"http://127.0.0.1:{port}"
    config.write_text(CONFIGURATION.format(redis_url=redis_url, index=folder / "index", provider=provider))
    with program("-m", "ha_rag.simulation", "--port", str(port)):
        await ready(f"{provider}/faults")
        settings = load_settings(config, variables={"HA_RAG_REPLICA": "traced"})
        async with build_replica(settings).running() as replica:
            for _ in range(QUESTIONS):
                await ask(replica.app)
            question = min([await traced(replica.app) for _ in range(QUESTIONS)], key=lambda trace: trace.calls.total())
            await trip(replica.circuits, "warm-up")
            with Trace() as opening:
                await trip(replica.circuits, "traced")
    print(f"{'':12}{'files':>8}{'functions':>12}{'calls':>8}{'deepest':>10}")
    publish(
        [
            Row.of(f"one {what}", f"ours, {part}", "", [count])
            for what, trace in (("question", question), ("trip", opening))
            for part, count in trace.counts().items()
        ]
    )
    for what, trace in (("question", question), ("trip", opening)):
        print(trace.row(what))
        for name, times in sorted(trace.calls.items()) if list_functions else ():
            print(f"    {times:4} {name}")


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--list", action="store_true", help="name every function")
    given = arguments.parse_args()
    with own_redis() as redis_url, tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(redis_url, Path(folder), list_functions=given.list))


if __name__ == "__main__":
    main()
