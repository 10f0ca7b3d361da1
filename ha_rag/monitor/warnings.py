"""What the replicas disagree on, and what Redis refuses them: things for people to mend."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ha_rag.breaker.report import ReplicaReport

MOST, LONGEST = 20, 300
"""So many warnings, of so many characters: heartbeats may say anything, and people read no more."""


def fleet_warnings(replicas: Sequence[ReplicaReport]) -> list[str]:
    """All that is odd about a fleet's replicas, the first of them in words and the rest as a number."""
    found = [*twins(replicas), *disagreements(replicas), *limits(replicas)]
    shown = [word if len(word) <= LONGEST else f"{word[: LONGEST - 1]}…" for word in found[:MOST]]
    return shown if len(found) <= MOST else [*shown, f"and {len(found) - MOST} more warnings"]


def twins(replicas: Iterable[ReplicaReport]) -> Iterable[str]:
    """Replicas of one name."""
    for name, number in Counter(replica.name for replica in replicas).items():
        if number > 1:
            yield f"{number} replicas are called {name}; give each its own HA_RAG_REPLICA"


def disagreements(replicas: Iterable[ReplicaReport]) -> Iterable[str]:
    """Circuits for which replicas have different rules, as in the middle of a rolling deploy."""
    policies: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for replica in replicas:
        told = replica.told.get("policies")
        for circuit, fingerprint in told.items() if isinstance(told, dict) else ():
            policies[str(circuit)][str(fingerprint)].append(replica.name)
    for circuit, by_fingerprint in policies.items():
        if len(by_fingerprint) > 1:
            sides = " against ".join(", ".join(names) for names in by_fingerprint.values())
            yield f"replicas have different rules for circuit {circuit}: {sides}"


def limits(replicas: Iterable[ReplicaReport]) -> Iterable[str]:
    """What Redis refuses a replica, so that it shares less than it should."""
    for replica in replicas:
        told = replica.told.get("limits")
        for what in told if isinstance(told, list) else ():
            yield f"{replica.name}: Redis refuses {what}; ha-rag check says how to mend it"
