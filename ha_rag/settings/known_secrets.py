"""The secrets that a process was given, as words that must not stand in anything it says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store.address import parse
from ha_rag.redaction import LEAST_PREFIX

# Receivers whose URL begins with a host; for others it may begin with a token, as in slack://TOKEN/TOKEN.
_WITH_HOST = re.compile(r"(?:http|json|xml|form|mailto|ntfy|gotify|rocket|matrix|mmost)s?", re.IGNORECASE)
_LONG = 20


def of_redis(url: str) -> Iterator[str]:
    """The passwords in a Redis address."""
    try:
        address = parse(url)
    except ConfigurationError:
        return
    yield from filter(None, (address.password, address.sentinel_password))


def of_receiver(url: str) -> Iterator[str]:
    """The password, and whatever else looks like a token, in the address of a receiver of alerts."""
    try:
        parts = urlsplit(url)
        given = dict(parse_qsl(parts.query))
    except ValueError:
        return
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    host = () if _WITH_HOST.fullmatch(parts.scheme) else (parts.netloc.rpartition("@")[2],)
    if password:
        yield unquote(password)
    yield from _tokens((unquote(user), *host, *map(unquote, parts.path.split("/")), *given.values()))


def _tokens(words: Iterable[str]) -> Iterator[str]:
    """Those that no person would write: a path such as `services` may stand in any log line."""
    for word in words:
        mixed = word != word.lower() and word != word.upper()
        if len(word) >= LEAST_PREFIX and (mixed or len(word) >= _LONG or any(c.isdigit() for c in word)):
            yield word
