"""The experiment that the settings ask for: how questions are split, and who counts them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from ha_rag.clock import SystemClock
from ha_rag.ledger.store.connection import Client
from ha_rag.ledger.store.experiment import ExperimentStore, MemoryExperimentStore, RedisExperimentStore
from ha_rag.ledger.store.experiment_counts import ExperimentKey
from ha_rag.messages import LAST_RESORTS
from ha_rag.settings import Settings
from ha_rag.settings.experiment import ExperimentTable
from ha_rag.strategy import FallbackStrategy
from ha_rag.strategy.experiment import Arm, Experiment
from ha_rag.telemetry.experiment import ExperimentCounter
from ha_rag.telemetry.experiment_report import ComparedArm, Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningExperiment:
    """The split, and its counter. `header`: names who asks, where the request does not."""

    split: Experiment
    counter: ExperimentCounter
    header: str


def split_of(settings: Settings, strategy: FallbackStrategy) -> Experiment | None:
    """How questions are split; None without `[experiment]`."""
    table = settings.experiment
    if table is None:
        return None
    chains = strategy.fallback_chains.items()
    return Experiment(
        table.name,
        [Arm(arm.name, arm.weight, arm.firsts) for arm in table.arms],
        {str(stage): [*(tier.name for tier in tiers), LAST_RESORTS[stage]] for stage, tiers in chains if tiers},
        by_quality=strategy.by_quality,
    )


def experiment_of(
    settings: Settings, split: Experiment | None, client: Client | None, refused: Callable[[str], None]
) -> RunningExperiment | None:
    """The experiment of a replica; nothing is sent yet. `client`: of the fleet's Redis, if there is one."""
    table = settings.experiment
    if table is None or split is None:
        return None
    store: ExperimentStore
    if client is None:
        store = MemoryExperimentStore(SystemClock.unix_ms)
    else:
        store = RedisExperimentStore(client, settings.namespace, refused)

    def ended(arm: str) -> None:
        split.ended = arm if split.index_of(arm) is not None else ""

    key = ExperimentKey(split.name, split.digest, split.weights)
    counter = ExperimentCounter(store, key, compared_of(table), secrets.token_hex(8), ended)
    return RunningExperiment(split=split, counter=counter, header=table.header)


def compared_of(table: ExperimentTable) -> Comparison:
    """What an experiment compares, for its reports."""
    arms = [ComparedArm(arm.name, arm.weight, arm.firsts) for arm in table.arms]
    return Comparison(table.name, arms, table.late_s)
