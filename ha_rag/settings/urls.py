"""Addresses that may carry secrets: how they are checked, completed and shown."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit, urlunsplit

from ha_rag.ledger.address import parse

_SECRET_PARAMETER = re.compile(r"(?i)\b((?:[a-z_]*password|token|secret|key|api_key)=)[^&#]*")
_CREDENTIALS = re.compile(r"//[^@/?#]*:[^/?#]*@|//[^@/?#]*@")


def redacted(url: str) -> str:
    """`url` as it may be logged: its password and secret parameters replaced by `***`. Never raises."""
    without_user = _CREDENTIALS.sub(_hide_password, url, count=1)
    return _SECRET_PARAMETER.sub(r"\1***", without_user)


def _hide_password(found: re.Match[str]) -> str:
    user, colon, _ = found.group()[2:-1].partition(":")
    return f"//{user}:***@" if colon else f"//{user}@"


def has_password(url: str) -> bool:
    """Whether `url` carries a password or another secret parameter."""
    return redacted(url) != url


def with_password(url: str, password: str) -> str:
    """`url` with `password` put where its scheme wants it."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if parts.scheme == "unix":
        joined = f"{parts.query}&password={quote(password, safe='')}".lstrip("&")
        return f"unix://{parts.netloc}{parts.path}?{joined}"
    secret = quote(password, safe="")
    return urlunsplit(parts._replace(netloc=f"{user if at else ''}:{secret}@{hosts}"))


def redis_url_rule(url: str) -> str:
    """`url`, where it may stand in a file. Raises ValueError with the rule that it breaks."""
    if has_password(url):
        raise ValueError(
            "must not hold a password; put it into an environment variable "
            "and that variable's name into fleet.redis_password_env"
        )
    if problem := redis_url_problem(url):
        raise ValueError(problem)
    return url


def redis_url_problem(url: str) -> str | None:
    """The rule that a Redis address breaks, or None."""
    try:
        parse(url)
    except ValueError as error:  # a ConfigurationError is one, and so is what Python says of an absurd number
        return str(error).removeprefix("redis_url: ")
    return None
