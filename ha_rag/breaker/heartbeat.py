"""The body of a replica's heartbeat, and the detection of differences between replicas."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
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

MAX_TERMS = 10_000
"""Circuits whose terms are read from one heartbeat; more are ignored."""


def default_name() -> str:
    """Host and process: the name of a replica that nobody named."""
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()).strip("._-") or "replica"
    return f"{host[:80]}-{os.getpid()}"


def body(replica: str, shared_state: str, views: Iterable[View], fields: Mapping[str, Any]) -> str:
    """A heartbeat as JSON: circuits whose state differs here, and policies' fingerprints. `fields`: further ones.

    "orders": circuit -> the epoch of the override or order that this replica follows, or whose end it knows.
    """
    views = list(views)
    own = [
        {"name": view.name, "state": view.state(), "scope": view.scope, "overlaid": view.is_tripped_locally()}
        for view in views
        if view.scope == "replica" or view.is_tripped_locally()
    ]
    shared = [view for view in views if view.scope == "fleet"]
    orders = {view.name: view.received_epoch for view in views if view.override() is not None or _has_order(view)}
    policies = {view.name: fingerprint(view.policy) for view in shared}
    terms = {view.name: _terms(view) for view in shared if view.terms != Terms.of(_DEFAULTS)}
    common = {
        "replica": replica,
        "shared_state": shared_state,
        "circuits": own,
        "policies": policies,
        "terms": terms,
        "orders": orders,
    }
    return json.dumps(common | dict(fields))


def _has_order(view: View) -> bool:
    """Whether an order over a circuit of this replica alone was received, even if it has ended."""
    return view.scope == "replica" and view.received_epoch > 0


def _terms(view: View) -> tuple[int | float, ...]:
    """The view's terms as 0.1.0 has them: it ignores a longer list, and would read the circuit by default terms."""
    return view.terms.wire()[:FIELDS_OF_0_1_0]


def reported_terms(report: ReplicaReport) -> dict[str, Terms]:
    """The terms, other than the default ones, by which a replica reads its circuits; of `MAX_TERMS` circuits at most.

    Invalid ones are left out.
    """
    terms = report.told.get("terms")
    items = islice(terms.items(), MAX_TERMS) if isinstance(terms, dict) else ()
    read = {str(name): Terms.from_wire(numbers) for name, numbers in items}
    return {name: terms for name, terms in read.items() if terms is not None}


@lru_cache(maxsize=1024)
def fingerprint(policy: CircuitPolicy) -> str:
    """A short hash by which replicas see that their policies differ.

    A configuration that 0.1.0 accepts has the hash that 0.1.0 computes, so that replicas of both versions agree.
    `slow_call_s` "auto" counts as 0, the default of 0.1.0.
    """
    fields = dataclasses.asdict(policy)
    for name in _ADDED_SINCE_0_1_0:
        if fields[name] == getattr(_DEFAULTS, name):
            del fields[name]
    if fields["slow_call_s"] == "auto":
        fields["slow_call_s"] = 0.0
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]


class DriftDetector:
    """Finds replicas with the same name or with different policies. Reports each finding once while it lasts."""

    def __init__(self, incarnation: str, name: str) -> None:
        self._incarnation = incarnation
        self._name = name
        self._reported: set[tuple[str, tuple[str, ...]]] = set()

    def noticed(self, replicas: Iterable[ReplicaReport], at_ms: int) -> list[Event]:
        """The findings that are new since the last check."""
        replicas = list(replicas)
        seen = dict(self._findings(replicas))
        events = [
            self._event(about, others, at_ms) for about, others in seen.items() if (about, others) not in self._reported
        ]
        self._reported = set(seen.items())
        return events

    def _findings(self, replicas: list[ReplicaReport]) -> Iterator[tuple[str, tuple[str, ...]]]:
        twins = sorted(r.incarnation for r in replicas if r.name == self._name and r.incarnation != self._incarnation)
        if twins:
            yield "", tuple(twins)
        mine = next((r for r in replicas if r.incarnation == self._incarnation), None)
        others = [r for r in replicas if r.incarnation != self._incarnation]
        theirs = [(r.name, _policies(r)) for r in others]
        for circuit, policy in _policies(mine).items():
            differing = sorted(name for name, policies in theirs if policies.get(circuit, policy) != policy)
            if differing:
                yield circuit, tuple(differing)

    def _event(self, circuit: str, others: tuple[str, ...], at_ms: int) -> Event:
        from ha_rag.events import PolicyMismatch, ReplicaNameTaken

        if not circuit:
            return ReplicaNameTaken(at_ms=at_ms, replica=self._name, others=others)
        return PolicyMismatch(at_ms=at_ms, replica=self._name, circuit=circuit, others=others)


def _policies(report: ReplicaReport | None) -> dict[str, str]:
    """Circuit -> the fingerprint of its policy in a heartbeat; empty if the field is invalid."""
    policies = report.told.get("policies") if report is not None else None
    return {str(name): str(value) for name, value in policies.items()} if isinstance(policies, dict) else {}
