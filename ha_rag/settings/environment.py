"""What the environment says. The only place in the project that reads os.environ."""

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
    "HA_RAG_CONFIG": "The configuration file; absent: `./ha_rag.toml` if it is there.",
    "HA_RAG_REDIS_URL": "The shared Redis; beats `fleet.redis_url`, and may carry a password.",
    "HA_RAG_REPLICA": "This replica's name; default: host name and process id.",
    "HA_RAG_ADMIN_TOKEN": "Allows operator actions and document changes, as `Authorization: Bearer`. "
    "Without it they work from the same machine only.",
    "HA_RAG_API_KEYS": "Comma-separated; when set, `/v1/*` wants one of them (the admin token serves too).",
    "HA_RAG_ALERT_URLS": "Who is told of incidents: apprise's URLs, separated by white space.",
    "HA_RAG_LOG": "`console` (default) or `json`.",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "Where traces go (with the extra `otel`); absent: none are written. "
    "For this and the rest of `OTEL_*` see [watching.md](watching.md#traces).",
    "NO_COLOR": "When set, the terminal shows no colours.",
}
_SENDABLE = re.compile(r"[!-~]*")
_REPLICA_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The variables that matter to ha_rag, checked. `problems`: one sentence each. Secrets never show in a repr."""

    config: Path | None
    redis_url: Secret | None
    replica: str
    admin_token: Secret | None
    api_keys: tuple[Secret, ...]
    log: LogForm
    variables: Mapping[str, Secret]
    problems: tuple[str, ...]

    def secret(self, name: str) -> Secret | None:
        """The value of a variable that the file names, or None where it is unset or empty."""
        value = self.variables.get(name)
        return value if value is not None and value.reveal() else None


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    """The environment (default: this process's). Never raises: what is wrong stands in `problems`."""
    # An empty variable counts as unset, because that is how compose files pass one on that nobody has set.
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
    )


def _problems(given: Mapping[str, str]) -> list[str]:
    checks = [
        ("HA_RAG_REDIS_URL", redis_url_problem),
        ("HA_RAG_REPLICA", _replica_problem),
        ("HA_RAG_LOG", lambda value: None if value in ("console", "json") else "must be console or json"),
    ]
    found = [(name, given[name], rule(given[name])) for name, rule in checks if name in given]
    problems = [f"{name} = {address_shown(value)[:80]!r}: {rule}" for name, value, rule in found if rule]
    # Their values are secrets, so the sentence does without them.
    if not given.get("HA_RAG_ADMIN_TOKEN", "-").strip():
        problems.append("HA_RAG_ADMIN_TOKEN: must hold more than blanks")
    if not given.get("HA_RAG_API_KEYS", "-").replace(",", "").strip():
        problems.append("HA_RAG_API_KEYS: must hold at least one key between its commas")
    secrets = ("HA_RAG_ADMIN_TOKEN", "HA_RAG_API_KEYS")
    unsendable = [name for name in secrets if not is_sendable("".join(given.get(name, "").split()))]
    return [*problems, *(f"{name}: {SENDABLE}" for name in unsendable)]


SENDABLE = "must be printable ASCII, since a header carries nothing else (its value is not shown here)"


def is_sendable(secret: str) -> bool:
    """Whether an `Authorization` header can carry `secret` as it is, from any client (RFC 9110, 5.5)."""
    return _SENDABLE.fullmatch(secret) is not None


def _replica_problem(value: str) -> str | None:
    rule = "must be 1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or digit"
    return None if _REPLICA_NAME.fullmatch(value) else rule


def _default_replica() -> str:
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", socket.gethostname()).strip(".-") or "replica"
    return f"{host[:48]}-{os.getpid()}"
