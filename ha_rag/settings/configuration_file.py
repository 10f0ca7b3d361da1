"""ConfigurationFile: the tables of the file, apart from the lists of components."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ha_rag.settings.experiment import ExperimentTable
from ha_rag.settings.tables import (
    AlertsTable,
    CacheTable,
    FleetTable,
    IndexTable,
    ServerTable,
    StrategyTable,
    Table,
)


class ConfigurationFile(Table):
    """The tables of the file, apart from the lists of components. Every table may be absent."""

    fleet: FleetTable = Field(default_factory=FleetTable)
    server: ServerTable = Field(default_factory=ServerTable)
    index: IndexTable = Field(default_factory=IndexTable)
    strategy: StrategyTable = Field(default_factory=StrategyTable)
    alerts: AlertsTable = Field(default_factory=AlertsTable)
    cache: CacheTable | None = None
    experiment: ExperimentTable | None = None
    circuit: dict[str, Any] = Field(default_factory=dict)
