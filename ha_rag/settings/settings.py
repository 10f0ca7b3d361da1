"""Settings: everything that one replica is configured with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ha_rag.errors import ConfigurationError
from ha_rag.messages import ComponentType
from ha_rag.redaction import Redactor
from ha_rag.settings import known_secrets
from ha_rag.settings.circuits import CircuitSettings
from ha_rag.settings.components import Components, by_circuit
from ha_rag.settings.environment import LogForm
from ha_rag.settings.experiment import ExperimentTable
from ha_rag.settings.secret import Secret
from ha_rag.settings.tables import (
    AlertsTable,
    CacheTable,
    ComponentTable,
    IndexTable,
    ServerTable,
    ServiceTable,
    StrategyTable,
)
from ha_rag.settings.urls import redacted
from ha_rag.settings.warned import Warned


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one replica. Immutable; secrets never show in its repr.

    `circuits`: by circuit name (`embedder.primary`). `api_keys_of`: circuit name -> API key of its service, if set.
    `redis_url`: with its password; None without a shared Redis. `source`: the file; None for the defaults. `warnings`:
    sentences about settings that are valid but probably not intended. `allocator_tuned`: whether the environment sets
    how malloc behaves, which is then left as it is.
    """

    server: ServerTable
    index: IndexTable
    namespace: str
    redis_url: Secret | None
    components: Components
    circuits: Mapping[str, CircuitSettings]
    replica: str
    strategy: StrategyTable = field(default_factory=StrategyTable)
    cache: CacheTable | None = None
    experiment: ExperimentTable | None = None
    alerts: AlertsTable = field(default_factory=AlertsTable)
    alert_urls: tuple[Secret, ...] = ()
    admin_token: Secret | None = None
    api_keys: tuple[Secret, ...] = ()
    api_keys_of: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    log: LogForm = "console"
    source: Path | None = None
    warnings: tuple[Warned, ...] = ()
    allocator_tuned: bool = False

    @property
    def embedders(self) -> tuple[ComponentTable, ...]:
        """The embedders in fallback order."""
        return self.components[ComponentType.EMBEDDER]

    @property
    def retrievers(self) -> tuple[ComponentTable, ...]:
        """The retrievers in fallback order."""
        return self.components[ComponentType.RETRIEVER]

    @property
    def rerankers(self) -> tuple[ComponentTable, ...]:
        """The rerankers in fallback order; there may be none."""
        return self.components.get(ComponentType.RERANKER, ())

    @property
    def generators(self) -> tuple[ComponentTable, ...]:
        """The generators in fallback order."""
        return self.components[ComponentType.GENERATOR]

    @property
    def redis_url_shown(self) -> str:
        """The Redis address without its secrets, or "none"."""
        return redacted(self.redis_url.reveal()) if self.redis_url else "none"

    @cached_property
    def redactor(self) -> Redactor:
        """Strikes every secret of these settings out of a text."""
        plain = (*self.api_keys, *self.api_keys_of.values(), *([self.admin_token] if self.admin_token else []))
        receivers = (word for url in self.alert_urls for word in known_secrets.of_receiver(url.reveal()))
        redis = known_secrets.of_redis(self.redis_url.reveal()) if self.redis_url else ()
        return Redactor((*(secret.reveal() for secret in plain), *receivers, *redis))

    @property
    def service_urls(self) -> dict[str, str]:
        """Circuit name -> address, for every component that calls a service."""
        return {name: table.base_url for name, table in by_circuit(self.components) if isinstance(table, ServiceTable)}

    @property
    def index_folder(self) -> Path:
        """The folder of the index."""
        return Path(self.index.path)

    @property
    def documents_folder(self) -> Path | None:
        """The folder of documents that `up` indexes; None if it is not there or holds nothing but hidden files."""
        folder = Path(self.index.documents)
        try:
            filled = any(not entry.name.startswith(".") for entry in folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return folder  # the ingest says why it cannot be read
        return folder if self.index.documents and filled else None

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
