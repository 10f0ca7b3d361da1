"""Formats values for error messages: as TOML writes them, short, and without secrets."""

from __future__ import annotations

import itertools
import json
import re

from ha_rag.harmless import harmless
from ha_rag.settings.urls import address_shown, redacted

Location = tuple[int | str, ...]
HIDDEN = "(hidden)"
LONGEST = 80
_DEEPEST = 3
_SECRET_WORDS = ("key", "token", "secret", "passw", "credential", "webhook", "urls")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
LARGEST = 10**LONGEST


def shown(value: object, place: Location) -> str:
    """`value`, found at the key path `place`, in at most 80 characters."""
    if place and _is_secret(str(place[-1])):
        return variable_shown(value) if str(place[-1]).endswith("_env") else HIDDEN
    is_address = isinstance(value, str) and bool(place) and str(place[-1]).endswith("url")
    return _short(_text(address_shown(str(value)) if is_address else value, 0))


def variable_shown(name: object) -> str:
    """The name of an environment variable; hidden unless it looks like one, since it may be the secret itself."""
    return _short(json.dumps(name)) if isinstance(name, str) and _VARIABLE.fullmatch(name) else HIDDEN


def key_shown(key: str) -> str:
    """A key as TOML writes it."""
    bare = key.replace("-", "").replace("_", "").isalnum() and key.isascii()
    return _short(key if bare else json.dumps(key))


def _is_secret(key: str) -> bool:
    # A secret that was put into the file by mistake, as in `api_key = "sk-..."`, must not end up in a log as well.
    return any(word in key.lower() for word in _SECRET_WORDS)


def _text(value: object, depth: int) -> str:
    if isinstance(value, str):
        return harmless(json.dumps(redacted(value[:10_000]), ensure_ascii=False))
    if isinstance(value, dict | list) and depth >= _DEEPEST:
        return "..."
    if isinstance(value, dict):
        pairs = itertools.islice(value.items(), LONGEST)
        return "{" + ", ".join(_pair(str(key), inner, depth) for key, inner in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(inner, depth + 1) for inner in value[:LONGEST]) + "]"
    if isinstance(value, bool):
        return json.dumps(value)
    # Python refuses to convert a number of thousands of digits to a string.
    return "a huge number" if isinstance(value, int) and abs(value) > LARGEST else str(value)


def _pair(key: str, value: object, depth: int) -> str:
    return f"{key_shown(key)} = {HIDDEN if _is_secret(key) else _text(value, depth + 1)}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
