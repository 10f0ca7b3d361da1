"""Addresses that may carry secrets: how they are checked, completed and shown."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit, urlunsplit

from ha_rag.ledger.store.address import parse

_SECRET_PARAMETER = re.compile(r"(?i)\b((?:[a-z_]*password|token|secret|key|api_key|[a-z_]*%[^=&#\s]*)=)[^&#]*")
# A password may hold whatever its owner forgot to escape, so all before the last @ may be one: of the whole text where
# it is an address, else of each word.
_SCHEME = r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)"
_ADDRESS = re.compile(rf"\A\s*{_SCHEME}(?P<credentials>.*)@", re.DOTALL)
_WORD = re.compile(rf"(?<!\S){_SCHEME}?(?P<credentials>[^\s@]\S*)@")
_USER = re.compile(r"[\w.%+~-]*")
# What is no option that we know may be a password: its name misspelled, or its & or # not escaped.
_OF_REDIS = re.compile(r"\A\s*(?:rediss?(?:\+[a-z]+)?|unix)://[^?#]*")
_HARMLESS = re.compile(r"(?:db|protocol)=\d*|(?:sentinel_)?username=.*|ssl_\w+=.*", re.DOTALL)
_NAME = re.compile(r"[a-z_]{1,30}")
_SOCKET = re.compile(r"\A\s*unix:///[^:?]*(?:\?|\Z)")


def redacted(url: str) -> str:
    """`url` as it may be logged: its password and secret parameters replaced by `***`. Never raises.

    Where a password is not escaped as it should be, more than the password may be missing, and never less.
    """
    return _options_hidden(_passwords_hidden(url))


def _passwords_hidden(url: str) -> str:
    without_user = url
    if "@" in url and not _SOCKET.match(url):
        without_user = _WORD.sub(_hidden, _ADDRESS.sub(_hidden, url, count=1))
    return _SECRET_PARAMETER.sub(r"\1***", without_user)


def _options_hidden(url: str) -> str:
    """A Redis address whose options that nobody knows are hidden; any other text as it is."""
    found = _OF_REDIS.match(url)
    return found[0] + re.sub(r"[^?&#]+", _option_shown, url[found.end() :]) if found else url


def _option_shown(option: re.Match[str]) -> str:
    if _HARMLESS.fullmatch(option[0]):
        return option[0]
    name, equals, _ = option[0].partition("=")
    return f"{name}=***" if equals and _NAME.fullmatch(name) else "***"


def address_shown(value: str) -> str:
    """What stands where an address should, as it may be shown: if it is none, all before its last @ is hidden."""
    is_address = "@" not in value or _ADDRESS.match(value)
    return redacted(value) if is_address else f"***{value[value.rindex('@') :]}"


def _hidden(found: re.Match[str]) -> str:
    scheme = found["scheme"] or ""
    user, colon, _ = found["credentials"].partition(":")
    if not _USER.fullmatch(user) or (scheme.lower().startswith("http") and not colon):
        user = "***"  # over HTTP it is often a token
    return f"{scheme}{user}:***@" if colon else f"{scheme}{user}@"


def has_password(url: str) -> bool:
    """Whether `url` carries a password or another secret parameter."""
    return _passwords_hidden(url) != url


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
    """The rule that a Redis address breaks, or None. Repeats nothing of what may be a password."""
    if not is_text(url):
        return "must be UTF-8 text"
    if _at_in_the_wrong_place(url):
        return "in a user's name or password, write / as %2F, ? as %3F, # as %23, @ as %40 and [ as %5B"
    try:
        parse(url)
    except ValueError as error:  # a ConfigurationError is one, and so is what Python says of an absurd number
        return str(error).removeprefix("redis_url: ")
    return None


def _at_in_the_wrong_place(url: str) -> bool:
    """Whether there is an @ that does not end a user's name and password: then what stands before it may be both."""
    head, slashes, rest = url.partition("://")
    if not slashes:
        return "@" in url
    if head.strip() == "unix":
        return False
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    return "@" in rest[len(authority) :] or authority.count("@") > 1 or "[" in authority.rpartition("@")[0]


def service_url_rule(url: str) -> str:
    """`url`, where a service can be there. Raises ValueError with the rule that it breaks."""
    authority = url.partition("://")[2].partition("/")[0]
    if "@" in url:
        raise ValueError("must not hold a user name or password; the key belongs into the variable of api_key_env")
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and not authority.endswith(":")
    except ValueError:
        usable = False
    if not usable or not (url.isascii() and url.isprintable() and "\\" not in url):
        raise ValueError("must be an address like https://api.openai.com/v1, in printable ASCII, its port below 65536")
    return url


def is_text(value: str) -> bool:
    """Whether `value` is text: a variable whose bytes are no UTF-8 comes with half characters in it."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
