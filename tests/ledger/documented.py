"""Reads the Redis permissions from docs/security.md, so that tests use exactly what is documented."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
_REDIS = " ".join(_PAGE.split("\n## Redis\n")[1].split("\n## ")[0].split())


def replica_rules() -> list[str]:
    """The rules that follow the password, for the namespace `ha_rag`."""
    return _found(r"ACL SETUSER ha_rag reset on >PASSWORD ([^`]+) ```")


def alerter_rules() -> list[str]:
    """The additional rules for alerters."""
    return _found(r"Alerters also need `([^`]+)`")


def database_rules() -> list[str]:
    """The additional rules for a URL with another database."""
    return _found(r"names a database other than 0 needs `([^`]+)`")


def cluster_rules() -> list[str]:
    """The additional rules for a cluster."""
    return _found(r"and a cluster `([^`]+)`")


def _found(pattern: str) -> list[str]:
    found = re.search(pattern, _REDIS)
    assert found is not None, f"docs/security.md no longer says {pattern}"
    return found[1].split()
