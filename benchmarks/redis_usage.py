"""What a redis-server uses between two moments: processor time, commands, network; and its memory and clients."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

SCRIPTS = ("evalsha", "eval")
SENT_ONLY = ("set", "mget", "zremrangebyscore", "zcount", "xrange", "xrevrange", "ping", "subscribe")
"""Commands that a replica sends and that no script runs while circuits stay as they are."""


@dataclass(frozen=True)
class Moment:
    """Sums since the server began; `cpu_s` of all its threads."""

    at_s: float
    cpu_s: float
    received: int
    sent: int
    calls: dict[str, int]
    clients: int
    memory: int


@dataclass(frozen=True)
class Usage:
    """A second's mean. `core`: share of one core. `commands`: run, those inside scripts included. `memory`: bytes."""

    core: float
    commands: float
    scripts: float
    by_name: dict[str, float]
    received: float
    sent: float
    clients: int
    memory: int


class Server:
    """The redis-server at a URL, on this machine."""

    def __init__(self, url: str) -> None:
        self.client: Any = redis.Redis.from_url(url, decode_responses=True, socket_timeout=10)
        self._process = Path("/proc") / str(self.client.info("server")["process_id"])

    def cpu_s(self) -> float:
        """Seconds of processor time of its main thread, to the nanosecond (/proc)."""
        return int((self._process / "schedstat").read_text().split()[0]) / 1e9

    def now(self) -> Moment:
        """Its sums now."""
        told = self.client.info("everything")
        return Moment(
            at_s=time.monotonic(),
            cpu_s=told["used_cpu_user"] + told["used_cpu_sys"],
            received=told["total_net_input_bytes"],
            sent=told["total_net_output_bytes"],
            calls={
                name.removeprefix("cmdstat_"): row["calls"] for name, row in told.items() if name.startswith("cmdstat_")
            },
            clients=told["connected_clients"],
            memory=told["used_memory"],
        )


def usage(before: Moment, after: Moment) -> Usage:
    """The means between two moments; clients and memory of the later one."""
    took_s = after.at_s - before.at_s
    by_name = {name: (calls - before.calls.get(name, 0)) / took_s for name, calls in after.calls.items()}
    return Usage(
        core=(after.cpu_s - before.cpu_s) / took_s,
        commands=sum(by_name.values()),
        scripts=sum(by_name.get(name, 0.0) for name in SCRIPTS),
        by_name={name: per_s for name, per_s in sorted(by_name.items(), key=lambda item: -item[1]) if per_s > 0},
        received=(after.received - before.received) / took_s,
        sent=(after.sent - before.sent) / took_s,
        clients=after.clients,
        memory=after.memory,
    )
