"""Names of all keys and channels in Redis.

All keys of one circuit share one hash tag, so that its scripts work on a cluster. Characters with a meaning in keys
(braces, colons, white space) are refused in namespaces and names of replicas, and escaped in names of circuits
(`circuit_names.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store.circuit_names import escaped, shown

FORM = 1
"""Version of the stored format. A release that changes the format raises it, which changes every name: during a rolling
upgrade old and new replicas then share state only with their own version, and neither reads an unknown format."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_RULE = "must be 1 to 128 letters, digits, dots, dashes or underscores, the first a letter or a digit"

PARTS = ("circuit", "open", "window", "voters", "probes", "override", "batches", "events")
"""The keys of one circuit, in the order in which every script expects them."""


def is_name(name: object) -> bool:
    """Whether `name` may be part of a key."""
    return isinstance(name, str) and _NAME.match(name) is not None


def checked_name(what: str, name: str) -> str:
    """Returns `name` if it may be part of a key. `what`: its kind, for the error. Raises ConfigurationError."""
    if not is_name(name):
        raise ConfigurationError(f"{what} {shown(name)}: {_RULE}")
    return name


@dataclass(frozen=True, slots=True)
class Keys:
    """The names in one namespace. Immutable. Raises ConfigurationError for an invalid namespace."""

    namespace: str = "ha_rag"
    form: int = FORM

    def __post_init__(self) -> None:
        checked_name("namespace", self.namespace)

    @property
    def root(self) -> str:
        """Prefix of every name."""
        return self.namespace if self.form == 1 else f"{self.namespace}:{self.form}"

    def circuit(self, name: str) -> list[str]:
        """All keys of circuit `name`, in the order of `PARTS`. Raises ConfigurationError for an invalid name."""
        tag = escaped(name)
        return [f"{self.root}:{{{tag}}}:{part}" for part in PARTS]

    def trial(self, name: str) -> str:
        """The key by which replicas find out whether Redis takes verbs of circuit `name` again: never left behind."""
        return f"{self.root}:{{{escaped(name)}}}:trial"

    @property
    def circuits(self) -> str:
        """Sorted set: escaped circuit name -> when a replica last used it (ms)."""
        return f"{self.root}:circuits"

    @property
    def change_log(self) -> str:
        """Stream: every change of any circuit, for polling. Not on a cluster. Unknown to 0.1.0."""
        return f"{self.root}:change-log"

    @property
    def loggers(self) -> str:
        """Sorted set: incarnation that writes the change log -> its last heartbeat (ms). Unknown to 0.1.0."""
        return f"{self.root}:loggers"

    @property
    def replicas(self) -> str:
        """Sorted set: incarnation -> its last heartbeat (ms)."""
        return f"{self.root}:replicas"

    def replica(self, incarnation: str) -> str:
        """String with PX: body of one incarnation's last heartbeat."""
        return f"{self.root}:replica:{incarnation}"

    @property
    def changes(self) -> str:
        """Channel on which every transition is published."""
        return f"{self.root}:changes"

    @property
    def alerts(self) -> str:
        """Hash: open incident that was reported -> the incident as JSON."""
        return f"{self.root}:alerts"

    def alert_claim(self, incident: str) -> str:
        """String with PX: the alerter that is sending an incident's message."""
        return f"{self.root}:alert-claim:{incident}"

    def alerts_sent(self, period: str) -> str:
        """Counter with PX: messages sent in one period."""
        return f"{self.root}:alerts-sent:{period}"

    def cached(self, kind: str, slot: int) -> str:
        """String with PX: one value of a cache. `kind`: "embeddings" or "answers". Unknown to 0.1.0."""
        return f"{self.root}:cache:{kind}:{slot}"

    @property
    def experiments(self) -> str:
        """Hash: name and digest of an experiment -> what it compares, as JSON. Unknown to 0.1.0."""
        return f"{self.root}:experiments"

    def experiment(self, name: str, digest: str, part: str) -> str:
        """A key of an experiment; all of one are in one slot. No circuit has this tag. Unknown to 0.1.0."""
        return f"{self.root}:{{:experiment:{name}:{digest}}}:{part}"

    def feedback(self, part: str) -> str:
        """A key of the fleet's feedback; all are in one slot. No circuit has this tag. Unknown to 0.1.0."""
        return f"{self.root}:{{:feedback}}:{part}"
