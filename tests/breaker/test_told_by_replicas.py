"""What heartbeats say of circuits: who differs, and who has not confirmed an override. They are untrusted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.breaker.report import OverrideReport
from ha_rag.breaker.told_by_replicas import ToldByReplicas
from tests.monitor.reports import CLOSED, OPEN, beat, report

BY_HAND = OverrideReport("open", "why", "kim", None)


def own(state: str = "closed") -> dict[str, Any]:
    return {"name": "payments", "state": state, "scope": "replica"}


def confirmed(epoch: int, state: str = "open") -> dict[str, Any]:
    return {"circuits": [own(state)], "orders": {"payments": epoch}}


OLD = {"circuits": [own()]}
UNAWARE = {"circuits": [own()], "orders": {}}


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ([], 0),
        ([confirmed(7)], 0),
        ([confirmed(8)], 0),
        ([confirmed(6)], 1),
        ([UNAWARE], 1),
        ([OLD], 1),
        ([confirmed(7), confirmed(6), UNAWARE, OLD], 3),
        ([{"orders": {"payments": "7"}, "circuits": [own()]}], 1),
        ([{"orders": []}], 0),  # it does not use the circuit
    ],
)
def test_under_an_override_every_replica_that_uses_the_circuit_is_to_confirm(bodies, expected) -> None:
    told = ToldByReplicas(beat(f"r{n}", body) for n, body in enumerate(bodies))
    assert told.unconfirmed(report(OPEN, scope="replica", override=BY_HAND, order_epoch=7)) == expected


@pytest.mark.parametrize(("bodies", "expected"), [([confirmed(7)], 0), ([confirmed(6)], 1), ([OLD], 0)])
def test_an_end_is_to_be_confirmed_by_those_that_can(bodies, expected) -> None:
    told = ToldByReplicas(beat(f"r{n}", body) for n, body in enumerate(bodies))
    assert told.unconfirmed(report(scope="replica", order_epoch=7)) == expected


def test_a_shared_circuit_is_confirmed_by_those_that_use_it() -> None:
    uses = {"policies": {"payments": "x"}}
    told = ToldByReplicas(
        [beat("a", {**uses, "orders": {"payments": 7}}), beat("b", {**uses, "orders": {}}), beat("c")]
    )
    assert told.unconfirmed(report(OPEN, override=BY_HAND, order_epoch=7)) == 1
    assert told.unconfirmed(report(OPEN, order_epoch=7)) is None


@pytest.mark.parametrize(
    ("replicas", "given_report"),
    [(None, report(OPEN, scope="replica", override=BY_HAND, order_epoch=7)), ([], report(scope="replica"))],
)
def test_without_heartbeats_or_overrides_nothing_is_said(replicas, given_report) -> None:
    assert ToldByReplicas(replicas).unconfirmed(given_report) is None


def test_replicas_in_another_state_differ() -> None:
    told = ToldByReplicas([beat("a", confirmed(7)), beat("b", confirmed(6, "closed")), beat("c", confirmed(6, "x"))])
    found = told.added_to(report(OPEN, scope="replica", override=BY_HAND, order_epoch=7))
    assert [(there.replica, there.state) for there in found.differing] == [("b", CLOSED)]


NAMES = st.sampled_from(["payments", "name"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["payments", "name"]), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(circuits=JSON, orders=JSON, policies=JSON)
def test_any_heartbeat_is_read(circuits: Any, orders: Any, policies: Any) -> None:
    told = ToldByReplicas([beat("a", {"circuits": circuits, "orders": orders, "policies": policies})])
    unconfirmed = told.unconfirmed(report(OPEN, scope="replica", override=BY_HAND, order_epoch=7))
    assert unconfirmed in (0, 1)
