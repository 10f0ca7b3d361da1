"""Warnings about the fleet: duplicate names, different rules, and commands that Redis refuses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ha_rag.breaker.report import CircuitReport, ReplicaReport

MAX_WARNINGS, MAX_LENGTH = 20, 300
"""Number and length of warnings: their text comes from heartbeats, which are untrusted."""


def fleet_warnings(replicas: Sequence[ReplicaReport], circuits: Iterable[CircuitReport] = ()) -> list[str]:
    """The first warnings as text, and the number of the others."""
    found = [
        *orders_out_of_reach(replicas, circuits), *duplicate_names(replicas), *policy_mismatches(replicas),
        *refused_commands(replicas),
    ]  # fmt: skip
    shown = [text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 1]}…" for text in found[:MAX_WARNINGS]]
    return shown if len(found) <= MAX_WARNINGS else [*shown, f"and {len(found) - MAX_WARNINGS} more warnings"]


def orders_out_of_reach(replicas: Iterable[ReplicaReport], circuits: Iterable[CircuitReport]) -> Iterator[str]:
    """Overrides of circuits that each replica has for itself, beside replicas of 0.1.0.

    These obey what is pushed while they run, and lose it when they restart.
    """
    old = sorted({replica.name for replica in replicas if replica.told and "orders" not in replica.told})
    for circuit in circuits:
        if old and circuit.scope == "replica" and circuit.override is not None:
            yield (
                f"circuit {circuit.name} is overridden in every replica, but {', '.join(old)} cannot confirm it: "
                "version 0.1.0 follows such an override only until it restarts"
            )


def duplicate_names(replicas: Iterable[ReplicaReport]) -> Iterable[str]:
    """Replicas that share a name."""
    for name, number in Counter(replica.name for replica in replicas).items():
        if number > 1:
            yield f"{number} replicas are called {name}; give each its own HA_RAG_REPLICA"


def policy_mismatches(replicas: Iterable[ReplicaReport]) -> Iterable[str]:
    """Circuits for which replicas have different rules, as during a rolling deploy."""
    policies: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for replica in replicas:
        fingerprints = replica.told.get("policies")
        for circuit, fingerprint in fingerprints.items() if isinstance(fingerprints, dict) else ():
            policies[str(circuit)][str(fingerprint)].append(replica.name)
    for circuit, by_fingerprint in policies.items():
        if len(by_fingerprint) > 1:
            groups = " against ".join(", ".join(names) for names in by_fingerprint.values())
            yield f"replicas have different rules for circuit {circuit}: {groups}"


def refused_commands(replicas: Iterable[ReplicaReport]) -> Iterable[str]:
    """Commands that Redis refuses a replica, which limits what it shares."""
    for replica in replicas:
        refused = replica.told.get("limits")
        for command in refused if isinstance(refused, list) else ():
            yield f"{replica.name}: Redis refuses {command}; run ha-rag check to see how to fix it"
