"""Conflicts that replicas detect in each other's heartbeats."""

from __future__ import annotations

import json

from ha_rag.breaker.heartbeat import DriftDetector, fingerprint
from ha_rag.breaker.report import ReplicaReport, replica_report
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.events import PolicyMismatch, ReplicaNameTaken
from ha_rag.ledger.store.ledger import Heartbeat


def replica(incarnation: str, **policies: str) -> ReplicaReport:
    return replica_report(Heartbeat(incarnation, 0, json.dumps({"policies": policies})))


def detector() -> DriftDetector:
    return DriftDetector("a~1", "a")


def test_replicas_with_equal_policies_cause_no_event():
    assert detector().noticed([replica("a~1", x="p"), replica("b~1", x="p", y="q")], 0) == []


def test_a_policy_mismatch_is_announced_once_while_it_lasts():
    drift = detector()
    differing = [replica("a~1", x="old"), replica("b~1", x="new"), replica("c~1", x="old")]
    (event,) = drift.noticed(differing, 5)
    assert event == PolicyMismatch(at_ms=5, replica="a", circuit="x", others=("b",))
    assert drift.noticed(differing, 6) == []
    assert drift.noticed([replica("a~1", x="new"), replica("b~1", x="new")], 7) == []
    assert len(drift.noticed(differing, 8)) == 1


def test_a_second_replica_of_the_same_name_is_announced_once():
    drift = detector()
    (event,) = drift.noticed([replica("a~1"), replica("a~2")], 5)
    assert event == ReplicaNameTaken(at_ms=5, replica="a", others=("a~2",))
    assert drift.noticed([replica("a~1"), replica("a~2")], 6) == []


def test_an_invalid_heartbeat_is_ignored():
    odd = [
        replica_report(Heartbeat("b~1", 0, text)) for text in ("", "[]", "{", '{"policies": [1]}', '{"policies": null}')
    ]
    assert detector().noticed([replica("a~1", x="p"), *odd], 0) == []


def test_a_policys_fingerprint_changes_with_its_settings():
    assert fingerprint(CircuitPolicy()) == fingerprint(CircuitPolicy())
    assert fingerprint(CircuitPolicy()) != fingerprint(CircuitPolicy(probes=2))
