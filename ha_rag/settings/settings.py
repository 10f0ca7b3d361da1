"""Settings: everything that one replica is configured with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ha_rag.errors import ConfigurationError
from ha_rag.messages import ComponentType
from ha_rag.settings.circuits import CircuitSettings
from ha_rag.settings.components import Components, by_circuit
from ha_rag.settings.environment import LogForm
from ha_rag.settings.secret import Secret
from ha_rag.settings.tables import AlertsTable, ComponentTable, IndexTable, ServerTable, ServiceTable
from ha_rag.settings.urls import redacted


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one replica. Immutable; secrets never show in its repr.

    `circuits`: by circuit name (`embedder.primary`). `api_keys_of`: circuit name -> API key of its service, if set.
    `redis_url`: with its password; None without a shared Redis. `source`: the file; None for the defaults. `warnings`:
    sentences about settings that are valid but probably not intended.
    """

    server: ServerTable
    index: IndexTable
    namespace: str
    redis_url: Secret | None
    components: Components
    circuits: Mapping[str, CircuitSettings]
    replica: str
    alerts: AlertsTable = field(default_factory=AlertsTable)
    alert_urls: tuple[Secret, ...] = ()
    admin_token: Secret | None = None
    api_keys: tuple[Secret, ...] = ()
    api_keys_of: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    log: LogForm = "console"
    source: Path | None = None
    warnings: tuple[str, ...] = ()

    @property
    def embedders(self) -> tuple[ComponentTable, ...]:
        """The embedders in fallback order."""
        return self.components[ComponentType.EMBEDDER]

    @property
    def retrievers(self) -> tuple[ComponentTable, ...]:
        """The retrievers in fallback order."""
        return self.components[ComponentType.RETRIEVER]

    @property
    def generators(self) -> tuple[ComponentTable, ...]:
        """The generators in fallback order."""
        return self.components[ComponentType.GENERATOR]

    @property
    def redis_url_shown(self) -> str:
        """The Redis address without its secrets, or "none"."""
        return redacted(self.redis_url.reveal()) if self.redis_url else "none"

    @property
    def service_urls(self) -> dict[str, str]:
        """Circuit name -> address, for every component that calls a service."""
        return {name: table.base_url for name, table in by_circuit(self.components) if isinstance(table, ServiceTable)}

    @property
    def index_folder(self) -> Path:
        """The folder of the index."""
        return Path(self.index.path)

    @property
    def has_index(self) -> bool:
        """Whether the index folder contains an index."""
        # Imported here because most commands read the settings but do not need the index, which is slow to import.
        from ha_rag.index.schema import DATABASE

        return (self.index_folder / DATABASE).exists()

    def listening_on(self, host: str | None, port: int | None) -> Settings:
        """These settings with the host and port of the command line, where given."""
        if host is not None and not host.strip():
            raise ConfigurationError("--host: must not be empty")  # the system would listen on all interfaces
        given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        return replace(self, server=self.server.model_copy(update=given))
