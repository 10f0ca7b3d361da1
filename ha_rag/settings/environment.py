"""Reads the environment. Apart from `tracing`, the only module that uses os.environ."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ha_rag.settings.secret import Secret
from ha_rag.settings.urls import address_shown, redis_url_problem

LogForm = Literal["console", "json"]

VARIABLES = {
    "HA_RAG_CONFIG": "The configuration file. Default: `./ha_rag.toml` if it exists.",
    "HA_RAG_REDIS_URL": "The shared Redis; takes precedence over `fleet.redis_url` and may contain a password.",
    "HA_RAG_REPLICA": "This replica's name. Default: host name and process id.",
    "HA_RAG_ADMIN_TOKEN": "Sent as `Authorization: Bearer`, it allows operator actions and document changes. "
    "If it is unset, these are only allowed from the same machine.",
    "HA_RAG_API_KEYS": "Comma-separated. If set, `/v1/*` requires one of them or the admin token.",
    "HA_RAG_ALERT_URLS": "Who is alerted about incidents: apprise URLs, separated by white space.",
    "HA_RAG_LOG": "`console` (default) or `json`.",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "Where traces are sent (needs the extra `otel`). If it is unset, none are. "
    "For the other `OTEL_*` variables see [watching.md](watching.md#traces).",
    "NO_COLOR": "If set, the terminal output has no colours.",
}
_SENDABLE = re.compile(r"[!-~]*")
_REPLICA_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The variables that ha_rag uses, validated. `problems`: one sentence each. Secrets never show in its repr.

    `allocator_tuned`: whether some set how malloc behaves (MALLOC_*, GLIBC_TUNABLES).
    """

    config: Path | None
    redis_url: Secret | None
    replica: str
    admin_token: Secret | None
    api_keys: tuple[Secret, ...]
    log: LogForm
    variables: Mapping[str, Secret]
    problems: tuple[str, ...]
    allocator_tuned: bool = False

    def secret(self, name: str) -> Secret | None:
        """The value of a variable that the file names, or None if it is unset or empty."""
        value = self.variables.get(name)
        return value if value is not None and value.reveal() else None


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    """The environment (default: this process's). Never raises; see `problems`."""
    # Compose files pass on a variable that nobody has set as an empty one, so empty means unset.
    given = {name: value for name, value in (os.environ if variables is None else variables).items() if value}
    token, keys = given.get("HA_RAG_ADMIN_TOKEN"), given.get("HA_RAG_API_KEYS", "")
    config, url = given.get("HA_RAG_CONFIG"), given.get("HA_RAG_REDIS_URL")
    return Environment(
        config=Path(config) if config else None,
        redis_url=Secret(url) if url else None,
        replica=given.get("HA_RAG_REPLICA") or _default_replica(),
        admin_token=Secret(token.strip()) if token else None,
        api_keys=tuple(Secret(key.strip()) for key in keys.split(",") if key.strip()),
        log="json" if given.get("HA_RAG_LOG") == "json" else "console",
        variables={name: Secret(value) for name, value in given.items()},
        problems=tuple(_problems(given)),
        allocator_tuned=any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in given),
    )


def _problems(given: Mapping[str, str]) -> list[str]:
    checks = [
        ("HA_RAG_REDIS_URL", redis_url_problem),
        ("HA_RAG_REPLICA", _replica_problem),
        ("HA_RAG_LOG", lambda value: None if value in ("console", "json") else "must be console or json"),
    ]
    found = [(name, given[name], rule(given[name])) for name, rule in checks if name in given]
    problems = [f"{name} = {address_shown(value)[:80]!r}: {rule}" for name, value, rule in found if rule]
    # These values are secrets, so the sentences do not repeat them.
    if not given.get("HA_RAG_ADMIN_TOKEN", "-").strip():
        problems.append("HA_RAG_ADMIN_TOKEN: must not consist of white space only")
    if not given.get("HA_RAG_API_KEYS", "-").replace(",", "").strip():
        problems.append("HA_RAG_API_KEYS: must contain at least one key")
    secrets = ("HA_RAG_ADMIN_TOKEN", "HA_RAG_API_KEYS")
    unsendable = [name for name in secrets if not is_sendable("".join(given.get(name, "").split()))]
    return [*problems, *(f"{name}: {SENDABLE}" for name in unsendable)]


SENDABLE = "must be printable ASCII, because it is sent in an HTTP header (its value is not shown here)"


def is_sendable(secret: str) -> bool:
    """Whether every client can send `secret` in an `Authorization` header (RFC 9110, 5.5)."""
    return _SENDABLE.fullmatch(secret) is not None


def _replica_problem(value: str) -> str | None:
    rule = "must be 1 to 64 letters, digits, dots, dashes or underscores, starting with a letter or digit"
    return None if _REPLICA_NAME.fullmatch(value) else rule


def _default_replica() -> str:
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", socket.gethostname()).strip(".-") or "replica"
    return f"{host[:48]}-{os.getpid()}"
