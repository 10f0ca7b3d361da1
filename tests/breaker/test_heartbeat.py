"""What replicas notice in each other's heartbeats."""

from __future__ import annotations

import json

from ha_rag.breaker.heartbeat import DriftDetector, fingerprint
from ha_rag.breaker.report import ReplicaReport, replica_report
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.events import PolicyMismatch, ReplicaNameTaken
from ha_rag.ledger.store.ledger import Heartbeat


def replica(incarnation: str, **policies: str) -> ReplicaReport:
    return replica_report(Heartbeat(incarnation, 0, json.dumps({"policies": policies})))


def census() -> DriftDetector:
    return DriftDetector("a~1", "a")


def test_replicas_that_agree_are_not_worth_a_word():
    assert census().noticed([replica("a~1", x="p"), replica("b~1", x="p", y="q")], 0) == []


def test_differing_policies_are_told_once_for_as_long_as_they_differ():
    look = census()
    differing = [replica("a~1", x="old"), replica("b~1", x="new"), replica("c~1", x="old")]
    (event,) = look.noticed(differing, 5)
    assert event == PolicyMismatch(at_ms=5, replica="a", circuit="x", others=("b",))
    assert look.noticed(differing, 6) == []
    assert look.noticed([replica("a~1", x="new"), replica("b~1", x="new")], 7) == []
    assert len(look.noticed(differing, 8)) == 1


def test_another_replica_of_the_same_name_is_told_of_once():
    look = census()
    (event,) = look.noticed([replica("a~1"), replica("a~2")], 5)
    assert event == ReplicaNameTaken(at_ms=5, replica="a", others=("a~2",))
    assert look.noticed([replica("a~1"), replica("a~2")], 6) == []


def test_a_heartbeat_that_is_no_such_thing_tells_nothing():
    odd = [
        replica_report(Heartbeat("b~1", 0, text)) for text in ("", "[]", "{", '{"policies": [1]}', '{"policies": null}')
    ]
    assert census().noticed([replica("a~1", x="p"), *odd], 0) == []


def test_a_policys_fingerprint_changes_with_any_of_its_rules():
    assert fingerprint(CircuitPolicy()) == fingerprint(CircuitPolicy())
    assert fingerprint(CircuitPolicy()) != fingerprint(CircuitPolicy(probes=2))
