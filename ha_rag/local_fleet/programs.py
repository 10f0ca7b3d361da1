"""The programs of a plan: command, environment and readiness check of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp

from ha_rag.local_fleet.plan import LOOPBACK, FleetPlan
from ha_rag.local_fleet.program import Program

READY_TIMEOUT_S = 1.0
FRONT_PATIENCE_S = 7.0
REPLICA_PATIENCE_S = 12.0


def provider_program(plan: FleetPlan, session: aiohttp.ClientSession) -> Program:
    """The simulated provider."""
    return Program(
        name="provider",
        command=(*plan.commands.provider, "--port", str(plan.provider_port)),
        environment=plan.environment,
        log=plan.log_folder / "provider.log",
        ready=answers(session, f"http://{LOOPBACK}:{plan.provider_port}/faults"),
    )


def ingest_program(plan: FleetPlan, config: Path | None, redis_url: str) -> Program | None:
    """The program that indexes the documents and the samples; None if there are none."""
    documents = [] if plan.documents is None else [str(plan.documents)]
    samples = ["--samples"] if plan.samples else []
    if not documents and not samples:
        return None
    return Program(
        name="ingest",
        command=(*plan.commands.ingest, *samples, *_config_option(config), *documents),
        environment=_shared(plan.environment, redis_url, "ingest"),
        log=plan.log_folder / "ingest.log",
    )


def replica_program(
    plan: FleetPlan, number: int, config: Path | None, redis_url: str, session: aiohttp.ClientSession
) -> Program:
    """Replica `number`, counted from 1."""
    name, port = plan.replica_name(number), plan.replica_port(number)
    return Program(
        name=name,
        command=(*plan.commands.serve, "--host", LOOPBACK, "--port", str(port), *_config_option(config)),
        environment=_shared(plan.environment, redis_url, name),
        log=plan.log_folder / f"{name}.log",
        ready=answers(session, f"http://{LOOPBACK}:{port}/health/ready"),
        patience_s=REPLICA_PATIENCE_S,
    )


def alerter_program(plan: FleetPlan, config: Path | None, redis_url: str) -> Program:
    """The alerter."""
    return Program(
        name="alerter",
        command=(*plan.commands.alerter, *_config_option(config)),
        environment=_shared(plan.environment, redis_url, "alerter"),
        log=plan.log_folder / "alerter.log",
    )


def front_program(plan: FleetPlan, session: aiohttp.ClientSession) -> Program:
    """The front, which listens on the fleet's one port."""
    numbers = range(1, plan.replicas + 1)
    replicas = [f"{plan.replica_name(n)}=http://{LOOPBACK}:{plan.replica_port(n)}" for n in numbers]
    return Program(
        name="front",
        command=(*plan.commands.front, "--host", plan.host, "--port", str(plan.port), *replicas),
        environment=plan.environment,
        log=plan.log_folder / "front.log",
        ready=answers(session, f"{plan.url}/health/ready"),
        patience_s=FRONT_PATIENCE_S,
    )


def answers(session: aiohttp.ClientSession, url: str) -> Callable[[], Awaitable[bool]]:
    """A readiness check: whether `url` answers 200."""

    async def asked() -> bool:
        try:
            async with session.get(url, timeout=aiohttp.ClientTimeout(total=READY_TIMEOUT_S)) as reply:
                return reply.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    return asked


def _shared(environment: Mapping[str, str], redis_url: str, replica: str) -> dict[str, str]:
    return {**environment, "HA_RAG_REDIS_URL": redis_url, "HA_RAG_REPLICA": replica}


def _config_option(config: Path | None) -> tuple[str, ...]:
    return () if config is None else ("--config", str(config))
