"""Names of circuits in Redis: what could end or change a key is escaped, as in URLs.

`shop.example:443` is stored as `shop.example%3A443`. Names of letters, digits, dots, dashes and underscores, the only
ones that 0.1.0 accepts, are stored as they are; 0.1.0 ignores the others. Two names never share a stored form.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote

from ha_rag.errors import ConfigurationError

MAX_LENGTH = 512
"""Characters in a circuit's name."""

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_SHOWN = 140
_RULE = f"must be 1 to {MAX_LENGTH} printable characters"


def is_circuit_name(name: str) -> bool:
    """Whether a circuit may have this name. Control and invisible characters could forge lines of a log."""
    return 0 < len(name) <= MAX_LENGTH and name.isprintable()


def checked_circuit_name(name: str) -> str:
    """Returns `name` if a circuit may have it. Raises ConfigurationError."""
    if not is_circuit_name(name):
        raise ConfigurationError(f"circuit {shown(name)}: {_RULE}")
    return name


@lru_cache(maxsize=4096)
def escaped(name: str) -> str:
    """The stored form of a circuit's name. Raises ConfigurationError for an invalid name."""
    if _PLAIN.match(name):
        return name
    text = quote(checked_circuit_name(name), safe="").replace("~", "%7E")  # quote() keeps a tilde as it is
    return text if text[0].isalnum() or text[0] == "%" else f"%{ord(text[0]):02X}{text[1:]}"


def unescaped(stored: str) -> str | None:
    """The name in its stored form; None if no circuit is stored like that: other clients may write the key."""
    if _PLAIN.match(stored):
        return stored
    try:
        name = unquote(stored, errors="strict")
        return name if escaped(name) == stored else None
    except (UnicodeDecodeError, ConfigurationError):
        return None


def shown(name: object) -> str:
    """A name for a message, shortened, since names may come from outside."""
    if not isinstance(name, str):
        return f"{name!r:.{_SHOWN}}"
    return repr(name) if len(name) <= _SHOWN else f"{name[:_SHOWN]!r}..."
