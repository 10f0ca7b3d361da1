"""From a file and the environment to Settings: everything checked, all problems told at once."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from ha_rag.circuit.terms import Terms
from ha_rag.errors import ConfigurationError
from ha_rag.messages import ComponentType
from ha_rag.settings.circuits import LISTS, CircuitSettings, circuit_problems, resolved_circuits
from ha_rag.settings.environment import SENDABLE, Environment, LogForm, is_sendable, read_environment
from ha_rag.settings.problems import sentences
from ha_rag.settings.secret import Secret
from ha_rag.settings.shape import (
    AlertsTable,
    ConfigurationFile,
    EmbedderTable,
    GeneratorTable,
    IndexTable,
    RetrieverTable,
    ServerTable,
    ServiceTable,
)
from ha_rag.settings.showing import shown, variable_shown
from ha_rag.settings.urls import is_text, redacted, with_password

DEFAULT_FILE = Path("ha_rag.toml")
MAX_FILE_BYTES = 1_000_000
MOST_PROBLEMS = 50
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that one replica needs to know. Immutable; secrets never show in its repr.

    `circuits`: by circuit name (`embedder.primary`). `api_keys_of`: circuit name -> key of its service, where one is
    set. `redis_url`: with its password, or None: no shared Redis. `source`: the file, or None: the defaults.
    `warnings`: sentences about what works but is likely not meant.
    """

    server: ServerTable
    index: IndexTable
    namespace: str
    redis_url: Secret | None
    embedders: tuple[EmbedderTable, ...]
    retrievers: tuple[RetrieverTable, ...]
    generators: tuple[GeneratorTable, ...]
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
    def redis_url_shown(self) -> str:
        """The Redis address as it may be shown, or "none"."""
        return redacted(self.redis_url.reveal()) if self.redis_url else "none"

    @property
    def service_urls(self) -> dict[str, str]:
        """Circuit name -> address, for every component behind a service."""
        lists = {ComponentType.EMBEDDER: self.embedders, ComponentType.GENERATOR: self.generators}
        return {
            f"{type_}.{table.name}": table.base_url
            for type_, tables in lists.items()
            for table in tables
            if isinstance(table, ServiceTable)
        }

    @property
    def index_folder(self) -> Path:
        """The folder of the index."""
        return Path(self.index.path)

    @property
    def has_index(self) -> bool:
        """Whether there is an index in that folder already."""
        # Loaded here: most commands read settings, and few look into the index, which takes long to load.
        from ha_rag.index.schema import DATABASE

        return (self.index_folder / DATABASE).exists()

    def listening_on(self, host: str | None, port: int | None) -> Settings:
        """These settings with another host and port, where one is given (what a command line says beats the file)."""
        if host is not None and not host.strip():
            raise ConfigurationError("--host: must not be empty")  # the system would take that for every interface
        given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        return replace(self, server=self.server.model_copy(update=given))


def load_settings(path: Path | str | None = None, variables: Mapping[str, str] | None = None) -> Settings:
    """The settings of `path` (default: `HA_RAG_CONFIG`, then `./ha_rag.toml`, then the built-in defaults).

    `variables`: the environment (default: this process's), which beats the file.
    Raises ConfigurationError with one sentence for each problem: key path, value, rule.
    """
    environment = read_environment(variables)
    source = _source(path, environment)
    return settings_of(_read(source) if source else {}, environment, source)


def settings_of(content: Mapping[str, Any], environment: Environment, source: Path | None = None) -> Settings:
    """The settings that a file's parsed `content` and the environment make together."""
    problems = [*environment.problems, *circuit_problems(content), *_repeated_names(content)]
    try:
        file = ConfigurationFile.model_validate(content)
    except ValidationError as error:
        raise _refusal([*sentences(error, content, ConfigurationFile), *problems]) from None
    problems += [*_password_problems(file, environment), *_key_problems(file, environment)]
    if problems:
        raise _refusal(problems)
    return _settings(file, environment, source)


def _refusal(problems: list[str]) -> ConfigurationError:
    left = len(problems) - MOST_PROBLEMS
    rest = [f"the configuration: has {left:,} more problems; are these the right file and variables?"]
    return ConfigurationError(*problems[:MOST_PROBLEMS], *(rest if left > 0 else []))


def _source(path: Path | str | None, environment: Environment) -> Path | None:
    named = Path(path) if path else environment.config
    return named or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)


def _read(source: Path) -> dict[str, Any]:
    try:
        # Not more, whatever it says of its size: a pipe or a device says nothing.
        with source.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ConfigurationError(f"{source}: is larger than {MAX_FILE_BYTES} bytes; is it a configuration file?")
        return tomllib.loads(data.decode())
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(source, error) from None


def _unreadable(source: Path, error: Exception) -> ConfigurationError:
    if isinstance(error, ConfigurationError):
        return error
    if isinstance(error, FileNotFoundError):
        return ConfigurationError(f"{source}: there is no such file")
    if isinstance(error, OSError):
        return ConfigurationError(f"{source}: cannot be read ({error.strerror or error})")
    if isinstance(error, UnicodeDecodeError):
        line = error.object[: error.start].count(b"\n") + 1
        return ConfigurationError(f"{source}: is not UTF-8 text (line {line})")
    return ConfigurationError(f"{source}: is not valid TOML: {error}")


def _repeated_names(content: Mapping[str, Any]) -> Iterator[str]:
    for key in LISTS.values():
        tables = content.get(key)
        names = [table.get("name") for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
        for name, times in Counter(name for name in names if isinstance(name, str)).items():
            if times > 1:
                yield f"{key}.name = {shown(name, ())}: must be unique among the {key}, but stands there {times} times"


def _password_problems(file: ConfigurationFile, environment: Environment) -> Iterator[str]:
    variable = file.fleet.redis_password_env
    if not variable or not file.fleet.redis_url or environment.redis_url:
        return
    password = environment.secret(variable)
    if not password:
        yield f"fleet.redis_password_env = {variable_shown(variable)}: must name a variable that is set"
    elif not is_text(password.reveal()):
        yield f"{variable}: must be UTF-8 text (its value is not shown here)"


def _key_problems(file: ConfigurationFile, environment: Environment) -> list[str]:
    keys = dict(_service_keys(file, environment).values())
    problems = [
        f"{variable}: {SENDABLE}" for variable, key in keys.items() if key and not is_sendable(key.reveal().strip())
    ]
    told = environment.secret(file.alerts.urls_env)
    if told and not is_text(told.reveal()):
        problems.append(f"{file.alerts.urls_env}: must be UTF-8 text (its value is not shown here)")
    return problems


def _settings(file: ConfigurationFile, environment: Environment, source: Path | None) -> Settings:
    keys = _service_keys(file, environment)
    near = _without_key(file)
    return Settings(
        server=file.server,
        index=file.index,
        namespace=file.fleet.namespace,
        redis_url=_redis_url(file, environment),
        embedders=tuple(file.embedders),
        retrievers=tuple(file.retrievers),
        generators=tuple(file.generators),
        circuits=resolved_circuits(file),
        replica=environment.replica,
        alerts=file.alerts,
        alert_urls=_alert_urls(file, environment),
        admin_token=environment.admin_token,
        api_keys=environment.api_keys,
        api_keys_of={name: key for name, (_, key) in keys.items() if key},
        log=environment.log,
        source=source,
        warnings=(
            *(
                f"{name}: api_key_env = {variable_shown(variable)} names a variable that is not set, so no key is sent"
                for name, (variable, key) in keys.items()
                if not key and name not in near
            ),
            *_longer_rests(file),
        ),
    )


def _longer_rests(file: ConfigurationFile) -> Iterator[str]:
    """Circuits that rest longer than their configuration says, because no rest is shorter than a probe may last."""
    circuits = resolved_circuits(file)
    for type_, key in LISTS.items():
        for component in getattr(file, key):
            name = f"{type_}.{component.name}"
            policy = circuits[name].policy
            rest_s = Terms.of(policy, component.timeout_s).open_ms / 1000
            if rest_s > policy.recovery_timeout_s:
                yield (
                    f"{name}: recovery_timeout_s = {policy.recovery_timeout_s:g} is shorter than a probe may last "
                    f"(timeout_s and 1 s more), so the circuit rests {rest_s:g} s"
                )


def _without_key(file: ConfigurationFile) -> set[str]:
    """Services on this machine, or beside it under a name without a dot: the simulated one is such; it wants no key."""
    return {
        f"{type_}.{component.name}"
        for type_, key in LISTS.items()
        for component in getattr(file, key)
        if isinstance(component, ServiceTable) and _is_near(urlsplit(component.base_url).hostname or "")
    }


def _is_near(host: str) -> bool:
    return host in LOOPBACK or not {".", ":"} & set(host)


def _service_keys(file: ConfigurationFile, environment: Environment) -> dict[str, tuple[str, Secret | None]]:
    return {
        f"{type_}.{component.name}": (component.api_key_env, environment.secret(component.api_key_env))
        for type_, key in LISTS.items()
        for component in getattr(file, key)
        if isinstance(component, ServiceTable)
    }


def _alert_urls(file: ConfigurationFile, environment: Environment) -> tuple[Secret, ...]:
    told = environment.secret(file.alerts.urls_env)
    return tuple(Secret(url) for url in told.reveal().split()) if told else ()


def _redis_url(file: ConfigurationFile, environment: Environment) -> Secret | None:
    if environment.redis_url:
        return environment.redis_url
    if not file.fleet.redis_url:
        return None
    password = environment.secret(file.fleet.redis_password_env) if file.fleet.redis_password_env else None
    url = file.fleet.redis_url
    return Secret(with_password(url, password.reveal()) if password else url)
