"""Address: parses and checks a Redis URL before anything connects.

    redis://[user:password@]host[:port][/db]                    rediss://...           the same over TLS
    unix:///path/to/socket[?db=0]
    redis+sentinel://[user:password@]host[:port],host.../service[/db]     rediss+sentinel://...
    redis+cluster://[user:password@]host[:port],host...                   rediss+cluster://...

Query options: `db`, `username`, `password` (needed with a socket path), `protocol` (2 or 3); for sentinels that require
authentication `sentinel_username`, `sentinel_password`; and, over TLS, redis-py's `ssl_ca_certs`, `ssl_certfile`,
`ssl_keyfile`, `ssl_cert_reqs`, `ssl_check_hostname`.
Other options are refused: a timeout in the URL would override the one that keeps a dead Redis from blocking callers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ha_rag.errors import ConfigurationError

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
PORT, SENTINEL_PORT = 6379, 26379
_OPTIONS = ("db", "username", "password", "protocol")
_SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A checked address. `kind`: single, unix, sentinel or cluster. `hosts`: (host, port) each. Immutable."""

    kind: str
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    protocol: int | None = None
    tls: bool = False
    tls_options: dict[str, str | bool] = field(default_factory=dict)


def parse(url: str) -> Address:
    """Parses `url`. Raises ConfigurationError; its message repeats no value, since any may be part of a password."""
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:  # its message may contain a password
        _refuse("must be a Redis address like redis://host:6379/0, with options like ?db=0&protocol=3")
    if parts.scheme not in SCHEMES:
        _refuse("must begin with one of " + ", ".join(f"{scheme}://" for scheme in SCHEMES))
    tls = parts.scheme.startswith("rediss")
    sentinels = _SENTINEL_OPTIONS if parts.scheme.endswith("+sentinel") else ()
    allowed = (*_OPTIONS, *sentinels, *(_TLS_OPTIONS if tls else ()))
    for name in options:
        if name not in allowed:
            which = f"the option {name!r}" if _is_a_name(name, parts) else "an option"
            _refuse(f"{which} is none of {', '.join(allowed)}")
    return _address(parts, options, tls=tls)


def _is_a_name(option: str, parts: SplitResult) -> bool:
    """Whether this cannot be part of a password whose ?, & or @ is not escaped."""
    if not re.fullmatch("[a-z_]{1,30}", option):
        return False
    before = parts.query.partition(option)[0]
    return "@" not in parts.query and "password" not in before.lower()


def _address(parts: SplitResult, options: dict[str, str], *, tls: bool) -> Address:
    kind = parts.scheme.partition("+")[2] or ("unix" if parts.scheme == "unix" else "single")
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    service, db = _path(kind, parts.path, options)
    return Address(
        kind=kind,
        hosts=() if kind == "unix" else _hosts(kind, hosts),
        path=unquote(parts.path) if kind == "unix" else "",
        service=service,
        db=db,
        username=unquote(user) or options.get("username"),
        password=unquote(password) or options.get("password"),
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
        protocol=_protocol(options),
        tls=tls,
        tls_options={name: _tls_value(name, options[name]) for name in _TLS_OPTIONS if name in options},
    )


def _hosts(kind: str, netloc: str) -> tuple[tuple[str, int], ...]:
    found = tuple(_host(text, SENTINEL_PORT if kind == "sentinel" else PORT) for text in netloc.split(","))
    if kind == "single" and len(found) > 1:
        _refuse("several hosts: use redis+sentinel:// or redis+cluster://")
    return found


def _host(text: str, default_port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:  # its message may contain a password, and so may the text, if the host is missing
        _refuse("must name a valid host, and a port from 0 to 65535 if any, as in redis://host:6379")
    if not host or parts.path:
        _refuse("must name a host")
    return host, default_port if port is None else port


def _path(kind: str, path: str, options: dict[str, str]) -> tuple[str, int]:
    """The service name and the database number."""
    if kind == "unix":
        if not path.strip("/"):
            _refuse("must name a socket, as in unix:///run/redis.sock")
        return "", _number("db", options.get("db", "0"))
    parts = [unquote(part) for part in path.split("/") if part]
    service = parts.pop(0) if kind == "sentinel" and parts else ""
    if kind == "sentinel" and not service:
        _refuse("must name the sentinels' service, as in redis+sentinel://host:26379/mymaster")
    db = _number("db", options.get("db") or (parts.pop(0) if parts else "0"))
    if parts:
        _refuse("nothing can follow the database number")
    if kind == "cluster" and db:
        _refuse("a cluster has only database 0")
    return service, db


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        _refuse(f"{name}: must be a whole number of at least 0")
    return int(text)


def _protocol(options: dict[str, str]) -> int | None:
    given = options.get("protocol")
    if given not in (None, "2", "3"):
        _refuse("protocol: must be 2 or 3")
    return int(given) if given else None


def _tls_value(name: str, text: str) -> str | bool:
    if name == "ssl_check_hostname":
        if text.lower() not in ("true", "false"):
            _refuse(f"{name}: must be true or false")
        return text.lower() == "true"
    if name == "ssl_cert_reqs" and text not in ("none", "optional", "required"):
        _refuse(f"{name}: must be none, optional or required")
    return text


def _refuse(rule: str) -> NoReturn:
    raise ConfigurationError(f"redis_url: {rule}")
