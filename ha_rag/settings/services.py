"""The API keys of the services that components call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from ha_rag.settings.components import Components, by_circuit
from ha_rag.settings.environment import SENDABLE, Environment, is_sendable
from ha_rag.settings.secret import Secret
from ha_rag.settings.showing import variable_shown
from ha_rag.settings.tables import ServiceTable
from ha_rag.settings.warned import Warned

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def api_keys(components: Components, environment: Environment) -> Mapping[str, Secret]:
    """Circuit name -> API key, for the services whose key is set."""
    found = {name: _key(table, environment) for name, table in _services(components)}
    return {name: key for name, key in found.items() if key}


def api_key_problems(components: Components, environment: Environment) -> list[str]:
    """One sentence for each variable whose key no HTTP header can carry."""
    keys = {table.api_key_env: _key(table, environment) for _, table in _services(components)}
    return [f"{variable}: {SENDABLE}" for variable, key in keys.items() if key and not is_sendable(key.reveal())]


def missing_keys(components: Components, environment: Environment) -> Iterator[Warned]:
    """One sentence for each service whose key is not set. Services on this machine or in this network need none."""
    for name, table in _services(components):
        if not _key(table, environment) and not _is_near(urlsplit(table.base_url).hostname or ""):
            variable = variable_shown(table.api_key_env)
            text = f"{name}: api_key_env = {variable} names a variable that is not set, so no key is sent"
            yield Warned(text, part="environment", mend="set the variable if the service requires a key")


def _services(components: Components) -> Iterator[tuple[str, ServiceTable]]:
    return ((name, table) for name, table in by_circuit(components) if isinstance(table, ServiceTable))


def _key(table: ServiceTable, environment: Environment) -> Secret | None:
    """The service's key without surrounding white space, which files with secrets often end with; None if unset."""
    secret = environment.secret(table.api_key_env)
    key = secret.reveal().strip() if secret else ""
    return Secret(key) if key else None


def _is_near(host: str) -> bool:
    """Whether `host` is this machine or has no dots, like the simulated provider and other containers of a stack."""
    return host in LOOPBACK or not {".", ":"} & set(host)
