"""Small programs that use a circuit, each run as a process of its own with a real Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ha_rag.breaker.fleet_observer import FleetObserver
from tests.waiting import PATIENCE_S, until

ROOT = Path(__file__).parents[2]

PRELUDE = """
import asyncio, json, multiprocessing, os, sys, threading, time
from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry
from tests import patient_replicas

patient_replicas.in_this_program()
POLICY = CircuitPolicy(min_samples=3, recovery_timeout_s=0.5)
circuits = CircuitRegistry.connect(os.environ["REDIS_URL"], namespace="shop", replica="r")
payments = circuits.breaker("payments", POLICY)

def down():
    raise OSError("down")

def fails(times=3):
    for _ in range(times):
        try:
            payments.call_sync(down)
        except (OSError, CircuitOpenError):
            pass

def until(condition, within_s=60.0):
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "too late"
        time.sleep(0.01)

def shared():
    # for programs whose link has a thread of its own
    until(lambda: circuits.shared_state == "fresh")
    return circuits.shared_state

async def shared_soon():
    while circuits.shared_state != "fresh":
        await asyncio.sleep(0.01)
    return circuits.shared_state

def tell(**facts):
    print(json.dumps(facts), flush=True)
"""


def run(program: str, url: str, *, first: str = "", within_s: float = 100.0) -> list[dict[str, Any]]:
    """What a program told (`tell`), line by line. `first`: runs before anything is imported."""
    done = subprocess.run(
        [sys.executable, "-c", f"{first}\n{PRELUDE}\n{program}"], cwd=ROOT, env=_environment(url), text=True,
        capture_output=True, timeout=within_s, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@contextmanager
def server(*words: str, redis: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Runs `python -m words`. Ended with SIGTERM, it has to leave, with return code 0."""
    with subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, env=_environment(redis, PORT=str(port))) as process:
        try:
            yield process
            process.terminate()
            assert process.wait(PATIENCE_S) in (0, -15)
        finally:
            process.kill()


def _environment(url: str, **more: str) -> dict[str, str]:
    return {**os.environ, "REDIS_URL": url, "PYTHONPATH": str(ROOT), **more}


def get(url: str) -> dict[str, Any]:
    """A reply's JSON; nothing while the server is starting."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as reply:
            answer: dict[str, Any] = json.load(reply)
            return answer
    except urllib.error.URLError:
        return {}


async def workers_agree(port: int, workers: int, others: int = 0) -> None:
    """Waits for every worker to be up; one of them sees failures; then every one refuses calls. All share the state."""
    seen: dict[int, dict[str, Any]] = {}

    def look() -> dict[int, dict[str, Any]]:
        # One connection at a time may reach the same worker each time, so several are opened at once.
        with ThreadPoolExecutor(8) as pool:
            for reply in pool.map(get, [f"http://127.0.0.1:{port}/state"] * 8):
                if reply:
                    seen[reply["pid"]] = reply
        return seen

    await until(lambda: len(look()) == workers)
    await until(lambda: all(reply["shared"] == "fresh" for reply in look().values()))
    assert get(f"http://127.0.0.1:{port}/fail")["state"] == "open"
    await until(lambda: {reply["state"] for reply in look().values()} == {"open"})
    await until(lambda: {reply["replicas"] for reply in look().values()} == {workers + others})


async def replicas(url: str) -> int:
    """How many replicas the fleet of the programs has now."""
    async with FleetObserver.connect(url, namespace="shop") as fleet:
        return len((await fleet.fleet()).replicas)
