"""The rights that docs/security.md gives a Redis user, read from the page: what it says is what tests try."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
_REDIS = " ".join(_PAGE.split("\n## Redis\n")[1].split("\n## ")[0].split())


def replica_rules() -> list[str]:
    """What stands behind the password, for the namespace `ha_rag`."""
    return _found(r"ACL SETUSER ha_rag reset on >PASSWORD ([^`]+) ```")


def alerter_rules() -> list[str]:
    """What alerters need besides."""
    return _found(r"Alerters need `([^`]+)` besides")


def database_rules() -> list[str]:
    """What a URL with another database needs besides."""
    return _found(r"names a database other than 0 needs `([^`]+)`")


def cluster_rules() -> list[str]:
    """What a cluster needs besides."""
    return _found(r"and a cluster `([^`]+)`")


def _found(pattern: str) -> list[str]:
    found = re.search(pattern, _REDIS)
    assert found is not None, f"docs/security.md no longer says {pattern}"
    return found[1].split()
