"""Validates, completes and redacts URLs that may contain secrets."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit, urlunsplit

from ha_rag.ledger.store.address import parse

_SECRET_PARAMETER = re.compile(r"(?i)\b((?:[a-z_]*password|token|secret|key|api_key|[a-z_]*%[^=&#\s]*)=)[^&#]*")
# A password may contain unescaped characters, so everything before the last @ may be one: of the whole text if it is a
# URL, else of each word.
_SCHEME = r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)"
_ADDRESS = re.compile(rf"\A\s*{_SCHEME}(?P<credentials>.*)@", re.DOTALL)
_WORD = re.compile(rf"(?<!\S){_SCHEME}?(?P<credentials>[^\s@]\S*)@")
_USER = re.compile(r"[\w.%+~-]*")
# An unknown option may be a password: its name may be misspelled, or its & or # not escaped.
_OF_REDIS = re.compile(r"\A\s*(?:rediss?(?:\+[a-z]+)?|unix)://[^?#]*")
_NUMBER = re.compile(r"(?:db|protocol)=\d*")
_HARMLESS = re.compile(r"(?:db|protocol)=\d*|(?:sentinel_)?username=.*|ssl_\w+=.*", re.DOTALL)
_NAME = re.compile(r"[a-z_]{1,30}")
_AUTHORITY = re.compile(r"\s*(?P<scheme>(?:rediss?(?:\+[a-z]+)?|unix)://)(?P<hosts>[^/?#]*)")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]*\]|[^:\[\]]*)(?::\d{1,5})?")
_SOCKET = re.compile(r"\A\s*unix:///[^:?]*(?:\?|\Z)")


def redacted(url: str) -> str:
    """`url` with its password and secret parameters replaced by `***`, for logs. Never raises.

    If a password is not escaped correctly, more than the password may be replaced, but never less.
    """
    return _options_hidden(_passwords_hidden(url))


def _passwords_hidden(url: str) -> str:
    found = _AUTHORITY.match(url)
    if found and not _are_hosts(found):
        return f"{found['scheme']}***"
    without_user = url
    if "@" in url and not _SOCKET.match(url):
        without_user = _WORD.sub(_hidden, _ADDRESS.sub(_hidden, url, count=1))
    return _SECRET_PARAMETER.sub(r"\1***", without_user)


def _are_hosts(found: re.Match[str]) -> bool:
    """Whether hosts stand where they should: one that is missing leaves user:password in its place, without an @."""
    if "@" in found["hosts"]:
        return True
    if found["scheme"] == "unix://":
        return not found["hosts"]
    return "@" in found.string or all(_HOST.fullmatch(host) for host in found["hosts"].split(","))


def _options_hidden(url: str) -> str:
    """A Redis URL with the values of unknown options hidden; any other text unchanged."""
    found = _OF_REDIS.match(url)
    if not found:
        return url
    parts, known = re.split(r"([?&#]+)", url[found.end() :]), True
    for at, option in enumerate(parts[2::2], start=1):
        known = known and _HARMLESS.fullmatch(option) is not None
        if not known and not _NUMBER.fullmatch(option):  # what follows an unknown one may be more of a password
            parts[2 * at] = _option_shown(option)
    return found[0] + "".join(parts)


def _option_shown(option: str) -> str:
    name, equals, _ = option.partition("=")
    return f"{name}=***" if equals and _NAME.fullmatch(name) else "***"


def address_shown(value: str) -> str:
    """`value`, which should be a URL, without secrets. If it is not a URL, everything before its last @ is hidden.

    With an option before the last @, a password may be on either side of it: then nothing but the scheme is shown.
    """
    before = value.rpartition("@")[0]
    if "?" in before or (re.search(r"(?i)password=", value) and "@" in value):
        scheme = re.match(_SCHEME, before)
        return f"{scheme[0] if scheme else ''}***"
    is_address = "@" not in value or _ADDRESS.match(value)
    return redacted(value) if is_address else f"***{value[value.rindex('@') :]}"


def _hidden(found: re.Match[str]) -> str:
    scheme = found["scheme"] or ""
    user, colon, _ = found["credentials"].partition(":")
    if not _USER.fullmatch(user) or (scheme.lower().startswith("http") and not colon):
        user = "***"  # over HTTP it is often a token
    return f"{scheme}{user}:***@" if colon else f"{scheme}{user}@"


def has_password(url: str) -> bool:
    """Whether `url` contains a password or another secret parameter."""
    return _passwords_hidden(url) != url


def with_password(url: str, password: str) -> str:
    """`url` with `password` inserted where its scheme expects it."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if parts.scheme == "unix":
        joined = f"{parts.query}&password={quote(password, safe='')}".lstrip("&")
        return f"unix://{parts.netloc}{parts.path}?{joined}"
    secret = quote(password, safe="")
    return urlunsplit(parts._replace(netloc=f"{user if at else ''}:{secret}@{hosts}"))


def redis_url_rule(url: str) -> str:
    """`url` if the file may contain it. Raises ValueError with the rule that it breaks."""
    if has_password(url):
        raise ValueError(
            "must not contain a password; put the password into an environment variable "
            "and that variable's name into fleet.redis_password_env"
        )
    if problem := redis_url_problem(url):
        raise ValueError(problem)
    return url


def redis_url_problem(url: str) -> str | None:
    """The rule that a Redis URL breaks, or None. Does not repeat anything that may be a password."""
    if not is_text(url):
        return "must be UTF-8 text"
    if _at_in_the_wrong_place(url):
        return "must have these characters escaped in user names and passwords: / %2F, ? %3F, # %23, @ %40, [ %5B"
    try:
        parse(url)
    except ValueError as error:  # ConfigurationError is a ValueError; so is Python's error for an absurdly long number
        return str(error).removeprefix("redis_url: ")
    return None


def _at_in_the_wrong_place(url: str) -> bool:
    """Whether an @ is not the one that ends user name and password: the text before it may then be a password."""
    head, slashes, rest = url.partition("://")
    if not slashes or ":" in head:
        return "@" in url
    if head.strip() == "unix":
        return False
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    return "@" in rest[len(authority) :] or authority.count("@") > 1 or "[" in authority.rpartition("@")[0]


def service_url_rule(url: str) -> str:
    """`url` if it can be a service's address. Raises ValueError with the rule that it breaks."""
    authority = url.partition("://")[2].partition("/")[0]
    if "@" in url:
        raise ValueError("must not contain a user name or password; put the key into the variable named by api_key_env")
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and not authority.endswith(":")
    except ValueError:
        usable = False
    if not usable or not (url.isascii() and url.isprintable() and "\\" not in url):
        raise ValueError("must be a URL like https://api.openai.com/v1, in printable ASCII, with a port below 65536")
    return url


def is_text(value: str) -> bool:
    """Whether `value` is text: a variable that is not UTF-8 is read with lone surrogates in it."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
