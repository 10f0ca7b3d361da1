"""What an order over a circuit will do, said before it is given."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.monitor.consequence import consequence, undo
from ha_rag.monitor.snapshot import FleetSnapshot, Override
from ha_rag.monitor.stages import stages
from tests.dashboards.fleets import FLEETS, OUTAGE, fleet, served
from tests.monitor.pictures import circuit, picture, replica

CALM = fleet()
OVERRIDE = Override(mode="open", reason="repairs", by="mia", ends_in_s=None)
ALONE = replace(CALM, replicas=(replica("rag-1"),))
ONE_TIER = replace(CALM, circuits=CALM.circuits[:1])
RARE = replace(CALM, traffic=served(questions=1))


def slow(traffic_s: float) -> FleetSnapshot:
    (point,) = RARE.traffic.history
    return replace(CALM, traffic=replace(RARE.traffic, history=(replace(point, seconds=traffic_s),)))


SAID = [
    (CALM, "open", "3 replicas; 12 questions a second go to secondary instead"),
    (ALONE, "open", "1 replica; 12 questions a second go to secondary instead"),
    (RARE, "open", "3 replicas; 60 questions a minute go to secondary instead"),
    (slow(10.0), "open", "3 replicas; 6 questions a minute go to secondary instead"),
    (FLEETS["no traffic"], "open", "3 replicas; no questions use it now; further ones go to secondary instead"),
    (ONE_TIER, "open", "3 replicas; 12 questions a second get the last resort (zero), since no other tier is left"),
    (OUTAGE, "open", "it is open already, and no longer closes by itself; all questions go to secondary instead"),
    (CALM, "closed", "3 replicas; every call is let through, even if all fail, until the override ends"),
    (OUTAGE, "closed", "until the override ends; 12 questions a second are tried on primary again"),
    (CALM, "disabled", "every call is let through and none is counted"),
    (CALM, "shadow", "every call is let through; it is only reported when the circuit would have opened"),
    (fleet(embedder__primary={"override": OVERRIDE}), "auto", "it becomes half-open: the next calls are its probes"),
    (
        fleet(embedder__primary={"override": replace(OVERRIDE, mode="closed")}),
        "auto",
        "it follows its calls again, and opens by itself if they fail",
    ),
]


@pytest.mark.parametrize(("shown", "order", "said"), SAID)
def test_it_says_how_many_replicas_and_where_questions_go(shown, order, said):
    assert said in consequence(shown, shown.circuits[0], order)


def test_a_circuit_of_no_stage_has_no_tier_to_go_to():
    shown = picture(circuits=(circuit(name="payments"),))

    assert consequence(shown, shown.circuits[0], "open") == "1 replica; every call through this circuit is refused"


@pytest.mark.parametrize("kind", FLEETS)
def test_every_order_over_every_circuit_can_be_told(kind):
    shown = FLEETS[kind]
    for one in shown.circuits:
        for order in ("open", "closed", "disabled", "shadow", "auto"):
            assert consequence(shown, one, order).isprintable()


def test_what_was_in_force_is_what_undoes_an_order():
    assert undo(circuit()) == ("auto", "")
    assert undo(circuit(override=OVERRIDE)) == ("open", "repairs")


def test_instead_of_a_tier_the_one_that_answers_most_or_the_next_that_can():
    embedder, retriever, generator = stages(OUTAGE)

    assert [stage.name for stage in (embedder, retriever, generator)] == ["embedder", "retriever", "generator"]
    assert embedder.successor("primary") == "secondary"
    assert retriever.successor("primary") == "lexical"
    assert retriever.successor("lexical") == "primary"
    assert generator.successor("primary") == "extractive"
