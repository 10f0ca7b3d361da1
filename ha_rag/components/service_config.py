"""ServiceConfig: the address of an OpenAI-compatible service, and limits on its responses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from yarl import URL

from ha_rag.errors import ConfigurationError
from ha_rag.redaction import LEAST_PREFIX, Redactor

AUTHORIZATION = "Authorization"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """One service. Immutable; its repr shows no secret. Raises ConfigurationError.

    `base_url`: http or https, such as "https://api.openai.com/v1", with or without a trailing slash.
    `api_key`: sent as a Bearer token, or None. `timeout_s`: for a complete call, and for each pause in a stream.
    `max_connections`: open at a time. `max_reply_bytes`: the longest response (default 8 MB).
    `trust_env`: whether proxies from the environment are used. `headers`: sent with every call. `api_key_header`: the
    header that carries the key, if not as a Bearer token in "Authorization", such as "api-key" (Azure).
    `redactor`: strikes the key and the values of headers out of what the service says.
    """

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0
    max_connections: int = 256
    max_reply_bytes: int = 8 * 1024 * 1024
    trust_env: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_key_header: str = AUTHORIZATION
    redactor: Redactor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = [
            *_url_problems(self.base_url),
            *_number_problems(self),
            *_secret_problems(self.api_key),
            *_header_problems({self.api_key_header: "", **self.headers}),
        ]
        if problems:
            raise ConfigurationError(*problems)
        object.__setattr__(self, "redactor", Redactor(self._secrets()))

    def _secrets(self) -> Iterator[str]:
        """The key, and whatever other headers may hold."""
        if self.api_key:
            yield self.api_key
        for value in self.headers.values():
            yield from (word for word in value.split() if len(word) >= LEAST_PREFIX)

    @property
    def api_key_value(self) -> str:
        """What `api_key_header` is set to."""
        key = self.api_key or ""
        return f"Bearer {key}" if self.api_key_header.lower() == AUTHORIZATION.lower() else key

    def url(self, path: str) -> URL:
        """The complete URL of `path`, such as "embeddings"."""
        return URL(f"{self.base_url.rstrip('/')}/{path}")


def _url_problems(text: str) -> list[str]:
    try:
        url = URL(text)
        usable = url.scheme in {"http", "https"} and bool(url.host) and url.port is not None
    except (ValueError, TypeError):
        return ["base_url: is not a valid URL; write it like https://api.openai.com/v1"]
    if url.user or url.password:
        return ["base_url: must not contain a user name or password; put the key into the environment (api_key_env)"]
    if url.query_string or url.fragment:
        return [f"base_url = {text!r}: must not have a query or a fragment"]
    return [] if usable else [f"base_url = {text!r}: must be an http or https URL with a host"]


def _number_problems(config: ServiceConfig) -> list[str]:
    problems = []
    if not (math.isfinite(config.timeout_s) and 0 < config.timeout_s <= 3600):
        problems.append(f"timeout_s = {config.timeout_s!r}: must be above 0 and at most 3600 seconds")
    if config.max_connections < 1:
        problems.append(f"max_connections = {config.max_connections!r}: must be at least 1")
    if config.max_reply_bytes < 1024:
        problems.append(f"max_reply_bytes = {config.max_reply_bytes!r}: must be at least 1024")
    return problems


def _secret_problems(key: str | None) -> list[str]:
    if key is None or (key and key.isascii() and key.isprintable() and " " not in key):
        return []
    return ["api_key: must be printable ASCII without spaces or line breaks (its value is not shown here)"]


def _header_problems(headers: Mapping[str, str]) -> list[str]:
    return [
        f"headers: {name!r} has a name or value with characters that HTTP does not allow"
        for name, value in headers.items()
        if not is_clean_header(name, value)
    ]


def is_clean_header(name: str, value: str) -> bool:
    """Whether HTTP allows this header: no line breaks, no control characters, no empty name."""
    named = bool(name) and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return named and value.isascii() and value.isprintable()
