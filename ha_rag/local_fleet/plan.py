"""FleetPlan: what `ha-rag up` will start."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path

from ha_rag.errors import ConfigurationError
from ha_rag.local_fleet.port_claims import PortClaims
from ha_rag.local_fleet.ports import PortNeed, are_free, free_port
from ha_rag.local_fleet.record import FOLDER
from ha_rag.local_fleet.standard_configuration import standard_configuration

PROVIDER_PORT = 9100
"""Where the simulated provider listens, if that port is free."""
DEFAULT_PORT = 8000
LOOPBACK = "127.0.0.1"
MAX_REPLICAS = 64
PORT_CHOICES = 10


def _module(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The command of each program, without the arguments that differ by replica. Tests substitute others."""

    serve: tuple[str, ...] = _module("ha_rag", "serve")
    ingest: tuple[str, ...] = _module("ha_rag", "ingest")
    provider: tuple[str, ...] = _module("ha_rag.simulation")
    front: tuple[str, ...] = _module("ha_rag.local_fleet.front")
    alerter: tuple[str, ...] = _module("ha_rag", "alerter")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """What to start. Immutable, validated here.

    `environment`: the environment of all processes; the supervisor adds replica and Redis. `host`, `port`: where
    the front listens; replica n listens on 127.0.0.1, port + n. `config`: the configuration file; None: none.
    `redis_url`: the Redis to share; None: the fleet starts its own. `provider`: whether the simulated provider serves
    as primary embedder and generator (only without `config`); `configuration`: the TOML of such a fleet, from the
    provider's port and the URL of the fleet's own Redis. `documents`: a folder to index. `samples`: whether to index
    samples if the index never held anything else. `indexed`: whether there is an index already, so that the replicas
    need not wait for that. `folder`: where each process's output is kept (in `logs`), and the fleet's record.
    `any_port`: `port` is only a default, so another one is used if it is taken. `alerts`: whether to run the alerter.
    `program`: what to type for ha-rag. Raises ConfigurationError.
    """

    environment: Mapping[str, str]
    replicas: int = 3
    host: str = LOOPBACK
    port: int = DEFAULT_PORT
    config: Path | None = None
    redis_url: str | None = None
    provider: bool = False
    provider_port: int = PROVIDER_PORT
    configuration: Callable[[int, str | None], str] = standard_configuration
    samples: bool = False
    documents: Path | None = None
    indexed: bool = False
    folder: Path = FOLDER
    any_port: bool = False
    alerts: bool = False
    program: str = "ha-rag"
    commands: Commands = field(default_factory=Commands)

    def __post_init__(self) -> None:
        problems = []
        if not 1 <= self.replicas <= MAX_REPLICAS:
            problems.append(f"--replicas {self.replicas}: must be between 1 and {MAX_REPLICAS}")
        if self.provider and self.config is not None:
            problems.append("the simulated provider needs a fleet without a configuration file")
        if problems:
            raise ConfigurationError(*problems)

    @property
    def log_folder(self) -> Path:
        """The folder of the processes' output."""
        return self.folder / "logs"

    @property
    def url(self) -> str:
        """The front's URL, as reachable from this machine."""
        return f"http://{reachable(self.host)}:{self.port}"

    def on_free_ports(self, claims: PortClaims | None = None) -> FleetPlan:
        """This plan on free ports, except for ports that were asked for.

        `claims`: claims them, so that no other fleet chooses them; None: another one may.
        """
        claims = claims or PortClaims()
        port, provider_port = self.port, self.provider_port
        if self.any_port:
            step = 10 * (self.replicas // 10 + 1)
            plans = (replace(self, port=port + step * n) for n in range(PORT_CHOICES))
            port = next((plan.port for plan in plans if _are_ours(plan.front_needs(), claims)), port)
        if self.provider and not _are_ours([self._provider_need()], claims):
            provider_port = free_port()
        return replace(self, port=port, provider_port=provider_port)

    def replica_name(self, number: int) -> str:
        """The name of replica `number`, counted from 1."""
        return f"rag-{number}"

    def replica_port(self, number: int) -> int:
        """The port of replica `number`, counted from 1."""
        return self.port + number

    def port_needs(self) -> list[PortNeed]:
        """Every port that must be free before anything is started."""
        return [*self.front_needs(), *([self._provider_need()] if self.provider else [])]

    def front_needs(self) -> list[PortNeed]:
        """The ports of the front and of the replicas."""
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
        return [front, *replicas]

    def _provider_need(self) -> PortNeed:
        return PortNeed(
            host=LOOPBACK,
            port=self.provider_port,
            user="the simulated provider",
            remedy="stop that program, or name your own services with --config",
        )


def _are_ours(needs: Sequence[PortNeed], claims: PortClaims) -> bool:
    return are_free(list(needs)) and claims.claim(need.port for need in needs) and are_free(list(needs))


def reachable(host: str) -> str:
    """An address of this machine that reaches a server listening on `host`."""
    is_ipv6 = ":" in host
    if is_unspecified(host):
        return "[::1]" if is_ipv6 else LOOPBACK
    return f"[{host}]" if is_ipv6 else host


def is_unspecified(host: str) -> bool:
    """Whether a server that listens on `host` listens on every address of this machine."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:  # a name
        return False
