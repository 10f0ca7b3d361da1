"""What a replica says of itself in each heartbeat, and what it notices in those of the others."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.terms import FIELDS_OF_0_1_0, Terms
from ha_rag.ledger.view.view import View

if TYPE_CHECKING:
    from ha_rag.breaker.report import ReplicaReport
    from ha_rag.events import Event

_ADDED_SINCE_0_1_0 = ("blip_s",)
"""Policy fields that 0.1.0 does not have."""

_DEFAULTS = CircuitPolicy()


def default_name() -> str:
    """Host and process: the name of a replica that nobody named."""
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()).strip("._-") or "replica"
    return f"{host[:80]}-{os.getpid()}"


def body(replica: str, shared_state: str, views: Iterable[View], told: Mapping[str, Any]) -> str:
    """A heartbeat as JSON text: the circuits that are the replica's own affair, and its policies' fingerprints."""
    views = list(views)
    own = [
        {"name": view.name, "state": view.state(), "scope": view.scope, "overlaid": view.is_tripped_locally()}
        for view in views
        if view.scope == "replica" or view.is_tripped_locally()
    ]
    shared = [view for view in views if view.scope == "fleet"]
    policies = {view.name: fingerprint(view.policy) for view in shared}
    terms = {view.name: _terms(view) for view in shared if view.terms != Terms.of(_DEFAULTS)}
    said = {"replica": replica, "shared_state": shared_state, "circuits": own, "policies": policies, "terms": terms}
    return json.dumps(said | dict(told))


def _terms(view: View) -> tuple[int | float, ...]:
    """The view's terms as 0.1.0 has them: it ignores a longer list, and would read the circuit by default terms."""
    return view.terms.wire()[:FIELDS_OF_0_1_0]


def terms_told(report: ReplicaReport) -> dict[str, Terms]:
    """The terms, other than the default ones, by which a replica reads its circuits. Nonsense is left out."""
    told = report.told.get("terms")
    items = told.items() if isinstance(told, dict) else ()
    read = {str(name): Terms.from_wire(numbers) for name, numbers in items}
    return {name: terms for name, terms in read.items() if terms is not None}


@lru_cache(maxsize=1024)
def fingerprint(policy: CircuitPolicy) -> str:
    """A short hash by which replicas see that their policies differ.

    A configuration that 0.1.0 accepts has the hash that 0.1.0 computes, so that replicas of both versions agree.
    `slow_call_s` "auto" counts as 0, the default of 0.1.0.
    """
    told = dataclasses.asdict(policy)
    for name in _ADDED_SINCE_0_1_0:
        if told[name] == getattr(_DEFAULTS, name):
            del told[name]
    if told["slow_call_s"] == "auto":
        told["slow_call_s"] = 0.0
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


class DriftDetector:
    """Looks over all heartbeats for what people should mend, and says each thing once for as long as it lasts."""

    def __init__(self, incarnation: str, name: str) -> None:
        self._incarnation = incarnation
        self._name = name
        self._said: set[tuple[str, tuple[str, ...]]] = set()

    def noticed(self, replicas: Iterable[ReplicaReport], at_ms: int) -> list[Event]:
        """What is new since the last look: another replica of this one's name, circuits with more than one policy."""
        replicas = list(replicas)
        seen = dict(self._trouble(replicas))
        events = [
            self._event(about, others, at_ms) for about, others in seen.items() if (about, others) not in self._said
        ]
        self._said = set(seen.items())
        return events

    def _trouble(self, replicas: list[ReplicaReport]) -> Iterator[tuple[str, tuple[str, ...]]]:
        twins = sorted(r.incarnation for r in replicas if r.name == self._name and r.incarnation != self._incarnation)
        if twins:
            yield "", tuple(twins)
        mine = next((r for r in replicas if r.incarnation == self._incarnation), None)
        others = [r for r in replicas if r.incarnation != self._incarnation]
        for circuit, policy in _policies(mine).items():
            differing = sorted(r.name for r in others if _policies(r).get(circuit, policy) != policy)
            if differing:
                yield circuit, tuple(differing)

    def _event(self, circuit: str, others: tuple[str, ...], at_ms: int) -> Event:
        from ha_rag.events import PolicyMismatch, ReplicaNameTaken

        if not circuit:
            return ReplicaNameTaken(at_ms=at_ms, replica=self._name, others=others)
        return PolicyMismatch(at_ms=at_ms, replica=self._name, circuit=circuit, others=others)


def _policies(report: ReplicaReport | None) -> dict[str, str]:
    """The fingerprints in a heartbeat; what is no such thing tells nothing."""
    told = report.told.get("policies") if report is not None else None
    return {str(name): str(value) for name, value in told.items()} if isinstance(told, dict) else {}
