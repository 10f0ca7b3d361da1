"""Names of everything that ha_rag keeps in Redis.

All keys of one circuit share one hash tag, so that its scripts work on a cluster. Names and namespaces are checked,
not escaped: what could break out of a key (braces, colons, white space) is refused where it is first given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ha_rag.errors import ConfigurationError

FORM = 1
"""Of what stands in Redis. A version of ha_rag that stores something else raises it, and with it changes every name: in
a rolling upgrade old and new replicas then share with their own kind only, and neither reads what it does not know."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_RULE = "must be 1 to 128 letters, digits, dots, dashes or underscores, the first a letter or a digit"
_SHOWN = 140

PARTS = ("circuit", "open", "window", "voters", "probes", "override", "batches", "events")
"""The keys of one circuit, in the order in which every script takes them."""


def is_name(name: str) -> bool:
    """Whether `name` can stand in a key."""
    return _NAME.match(name) is not None


def checked_name(what: str, name: str) -> str:
    """`name` if it can stand in a key. `what` names it in the error. Raises ConfigurationError."""
    if not is_name(name):
        raise ConfigurationError(f"{what} {_shown(name)}: {_RULE}")
    return name


def _shown(name: str) -> str:
    """Short enough for a line of a log, whatever somebody sent."""
    return repr(name) if len(name) <= _SHOWN else f"{name[:_SHOWN]!r}..."


@dataclass(frozen=True, slots=True)
class Keys:
    """The names under one namespace. Immutable. Raises ConfigurationError for one that cannot stand in a key."""

    namespace: str = "ha_rag"
    form: int = FORM

    def __post_init__(self) -> None:
        checked_name("namespace", self.namespace)

    @property
    def root(self) -> str:
        """What every name begins with."""
        return self.namespace if self.form == 1 else f"{self.namespace}:{self.form}"

    def circuit(self, name: str) -> list[str]:
        """All keys of circuit `name`, in the order of `PARTS`. Raises ConfigurationError, wherever the name is from."""
        checked_name("circuit", name)
        return [f"{self.root}:{{{name}}}:{part}" for part in PARTS]

    @property
    def circuits(self) -> str:
        """Sorted set: circuit name -> when a replica last used it (ms)."""
        return f"{self.root}:circuits"

    @property
    def replicas(self) -> str:
        """Sorted set: incarnation -> its last beat (ms)."""
        return f"{self.root}:replicas"

    def replica(self, incarnation: str) -> str:
        """String with PX: what one incarnation last said of itself."""
        return f"{self.root}:replica:{incarnation}"

    @property
    def changes(self) -> str:
        """The channel on which every transition is told."""
        return f"{self.root}:changes"

    @property
    def alerts(self) -> str:
        """Hash: incident that was told and is not over -> what was told."""
        return f"{self.root}:alerts"

    def alert_claim(self, incident: str) -> str:
        """String with PX: which alerter is telling an incident just now."""
        return f"{self.root}:alert-claim:{incident}"

    def alerts_sent(self, period: str) -> str:
        """Number with PX: messages sent in one period."""
        return f"{self.root}:alerts-sent:{period}"
