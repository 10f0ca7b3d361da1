"""Replicas of 0.1.0 and of this version read each other's heartbeats, as in the middle of a rolling deploy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ha_rag.breaker.heartbeat import DriftDetector, fingerprint, reported_terms
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.breaker.report import ReplicaReport, replica_report
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.terms import FIELDS_OF_0_1_0, Terms
from ha_rag.events import PolicyMismatch
from ha_rag.ledger.store.ledger import Heartbeat
from ha_rag.ledger.store.memory import MemoryLedger
from ha_rag.monitor.warnings import policy_mismatches
from tests.version_0_1_0 import Version010

POLICIES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "integers": {"window_s": 20, "recovery_timeout_s": 30, "min_samples": 7},
    "slow calls": {"slow_call_s": 1.5, "slow_threshold": 0.8},
    "never slow": {"slow_call_s": 0.0},
    "everything": {
        "failure_threshold": 0.25, "slow_call_s": 2, "slow_threshold": 0.75, "min_samples": 9, "window_s": 4.5,
        "recovery_timeout_s": 3.25, "recovery_backoff": 1.5, "recovery_timeout_max_s": 45.0, "probes": 2,
        "probe_successes": 3, "quorum": 2, "probe_timeout_s": 2.0, "throttle_max_s": 12.0, "flush_interval_s": 0.2,
        "ramp_s": 8.0, "shed": True, "retries": 2, "retry_budget": 0.1, "retry_budget_per_s": 0.5,
    },
}  # fmt: skip
"""Policies that 0.1.0 supports too."""

OLD_BODY = """
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.ledger.memory import MemoryLedger

registry = CircuitRegistry(MemoryLedger, replica="old")
for name, policy in given[0].items():
    registry.breaker(name, CircuitPolicy(**policy), timeout_s=2.0)
print(registry._body())
"""

OLD_READING = """
from ha_rag.breaker.heartbeat import Census, terms_told
from ha_rag.breaker.report import replica_report
from ha_rag.dashboards.warnings import disagreements
from ha_rag.ledger.ledger import Beat

old, new = (replica_report(Beat(f"{name}~1", 0, json.dumps(body))) for name, body in given)
print(json.dumps({
    "terms": {name: terms.wire() for name, terms in terms_told(new).items()},
    "noticed": [event.kind for event in Census("old~1", "old").noticed([old, new], 0)],
    "warnings": list(disagreements([old, new])),
}))
"""


@pytest.fixture(scope="module")
def old_body(version_0_1_0: Version010) -> dict[str, Any]:
    """The heartbeat body of a replica of 0.1.0."""
    body: dict[str, Any] = version_0_1_0.run(OLD_BODY, {name.replace(" ", "_"): p for name, p in POLICIES.items()})
    return body


def new_body(**changed: Any) -> dict[str, Any]:
    """The heartbeat body of a replica of this version. `changed`: settings changed in every policy."""
    registry = CircuitRegistry(MemoryLedger, replica="new")
    for name, policy in POLICIES.items():
        registry.breaker(name.replace(" ", "_"), CircuitPolicy(**{**policy, **changed}), timeout_s=2.0)
    body: dict[str, Any] = json.loads(registry._body())
    return body


def report(name: str, body: dict[str, Any]) -> ReplicaReport:
    return replica_report(Heartbeat(f"{name}~1", 0, json.dumps(body)))


def test_an_equal_policy_has_the_fingerprint_that_0_1_0_gives_it(old_body: dict[str, Any]) -> None:
    assert new_body()["policies"] == old_body["policies"]
    assert len(set(old_body["policies"].values())) == len(POLICIES) - 1, "0 is the default in 0.1.0"


def test_new_settings_change_the_fingerprint_unless_they_are_the_default(old_body: dict[str, Any]) -> None:
    changed = new_body(blip_s=0.25)["policies"]
    assert all(changed[name] != old for name, old in old_body["policies"].items())
    assert fingerprint(CircuitPolicy(blip_s=0.25)) != fingerprint(CircuitPolicy(blip_s=0.75))
    assert fingerprint(CircuitPolicy(slow_call_s="auto")) != fingerprint(CircuitPolicy(slow_call_s=0.5))


def test_this_version_finds_no_mismatch_in_a_heartbeat_of_0_1_0_with_equal_policies(old_body: dict[str, Any]) -> None:
    replicas = [report("old", old_body), report("new", new_body())]
    assert DriftDetector("new~1", "new").noticed(replicas, 0) == []
    assert list(policy_mismatches(replicas)) == []


def test_this_version_detects_different_policies(old_body: dict[str, Any]) -> None:
    events = DriftDetector("new~1", "new").noticed([report("old", old_body), report("new", new_body(probes=5))], 0)
    assert {type(event) for event in events} == {PolicyMismatch}
    assert len(events) == len(POLICIES)


def test_0_1_0_finds_no_mismatch_in_a_heartbeat_of_this_version_with_equal_policies(
    version_0_1_0: Version010, old_body: dict[str, Any]
) -> None:
    read = version_0_1_0.run(OLD_READING, ("old", old_body), ("new", new_body()))
    assert (read["noticed"], read["warnings"]) == ([], [])


def test_0_1_0_detects_different_policies(version_0_1_0: Version010, old_body: dict[str, Any]) -> None:
    read = version_0_1_0.run(OLD_READING, ("old", old_body), ("new", new_body(blip_s=0.25)))
    assert set(read["noticed"]) == {"PolicyMismatch"}
    assert len(read["warnings"]) == len(POLICIES)


def test_0_1_0_reads_a_circuit_by_the_terms_that_a_replica_of_this_version_reports(
    version_0_1_0: Version010, old_body: dict[str, Any]
) -> None:
    """Without terms for a circuit it would use the default ones, which have a different window."""
    body = new_body()
    read = version_0_1_0.run(OLD_READING, ("old", old_body), ("new", body))["terms"]
    assert read == body["terms"]
    assert {len(numbers) for numbers in read.values()} == {FIELDS_OF_0_1_0}


def test_0_1_0_ignores_terms_of_fourteen_numbers(version_0_1_0: Version010, old_body: dict[str, Any]) -> None:
    """This is why the terms have thirteen numbers."""
    longer = new_body() | {"terms": {"everything": Terms.of(CircuitPolicy()).wire()}}
    assert version_0_1_0.run(OLD_READING, ("old", old_body), ("new", longer))["terms"] == {}


def test_this_version_reads_a_circuit_by_the_terms_that_0_1_0_reports(old_body: dict[str, Any]) -> None:
    read = reported_terms(report("old", old_body))
    assert set(read) == set(old_body["terms"])
    assert read["everything"] == Terms.of(CircuitPolicy(**POLICIES["everything"]), timeout_s=2.0)
    assert {name: terms.wire()[:FIELDS_OF_0_1_0] for name, terms in read.items()} == {
        name: tuple(numbers) for name, numbers in old_body["terms"].items()
    }
