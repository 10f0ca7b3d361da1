"""FleetPlan: what `ha-rag up` is to start."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ha_rag.errors import ConfigurationError
from ha_rag.local_fleet.ports import PortNeed

PROVIDER_PORT = 9100
"""Where the simulated provider listens, and where `ha-rag break` looks for it."""
DEFAULT_PORT = 8000
LOOPBACK = "127.0.0.1"
MAX_REPLICAS = 64


def _module(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The programs of a fleet, without the arguments that tell one replica from another. Tests put others in."""

    serve: tuple[str, ...] = _module("ha_rag", "serve")
    ingest: tuple[str, ...] = _module("ha_rag", "ingest")
    provider: tuple[str, ...] = _module("ha_rag.simulation")
    front: tuple[str, ...] = _module("ha_rag.local_fleet.front")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """What to start. Immutable, validated here.

    `environment`: all variables that the processes get; the supervisor adds replica and Redis. `host`, `port`: where
    the front listens; replica n listens on 127.0.0.1, port + n. `config`: the configuration file; None: none.
    `redis_url`: the Redis to share; None: the fleet brings one along. `provider`: whether the simulated provider serves
    as primary embedder and generator (only without `config`). `samples`: documents to index before the replicas start;
    None: none. `log_folder`: where each process's output is kept. Raises ConfigurationError.
    """

    environment: Mapping[str, str]
    replicas: int = 3
    host: str = LOOPBACK
    port: int = DEFAULT_PORT
    config: Path | None = None
    redis_url: str | None = None
    provider: bool = False
    provider_port: int = PROVIDER_PORT
    samples: Path | None = None
    log_folder: Path = Path(".ha_rag/logs")
    commands: Commands = field(default_factory=Commands)

    def __post_init__(self) -> None:
        problems = []
        if not 1 <= self.replicas <= MAX_REPLICAS:
            problems.append(f"--replicas {self.replicas}: must be between 1 and {MAX_REPLICAS}")
        if self.provider and self.config is not None:
            problems.append("the simulated provider stands in only where no configuration names the services")
        if problems:
            raise ConfigurationError(*problems)

    def replica_name(self, number: int) -> str:
        """The name of replica `number`, counted from 1."""
        return f"rag-{number}"

    def replica_port(self, number: int) -> int:
        """The port of replica `number`, counted from 1."""
        return self.port + number

    def port_needs(self) -> list[PortNeed]:
        """Every port that must be free before anything is started."""
        elsewhere = "choose another with --port"
        front = PortNeed(host=self.host, port=self.port, user="the front", remedy=elsewhere)
        replicas = [
            PortNeed(
                host=LOOPBACK,
                port=self.replica_port(number),
                user=self.replica_name(number),
                remedy=f"the replicas' ports follow the front's: {elsewhere}",
            )
            for number in range(1, self.replicas + 1)
        ]
        provider = PortNeed(
            host=LOOPBACK,
            port=self.provider_port,
            user="the simulated provider",
            remedy="end that program, or name services of your own with --config",
        )
        return [front, *replicas, *([provider] if self.provider else [])]
