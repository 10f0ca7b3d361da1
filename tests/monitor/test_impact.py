"""What users get: the headline, what is wrong in words, and the level, by one table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ha_rag.monitor.impact import impact, table, with_impact
from ha_rag.monitor.snapshot import (
    CircuitPicture,
    Differing,
    FleetSnapshot,
    LostReplica,
    Opening,
    Override,
    RedisPicture,
    TrafficPoint,
)
from tests.monitor.pictures import CALM, NOW, circuit, degraded, picture, replica

WATCHING = Path(__file__).parents[2] / "docs" / "watching.md"
TIERS = {"embedder": ("primary", "secondary"), "retriever": ("hybrid",), "generator": ("cloud", "extractive")}
OPENED = Opening(at=NOW - 42, reason="12 of 12 failed, 0 slow", by="rag-2", samples=12, failed=12)
BY_HAND = Override(mode="open", reason="maintenance", by="admin", ends_in_s=600.0)


def named(name: str, state: str = "closed", **fields: Any) -> CircuitPicture:
    opened = None if state == "closed" or fields.get("override") is not None else OPENED
    return circuit(**{"name": name, "state": state, "opened": opened, **fields})


def fleet(*special: CircuitPicture, **fields: Any) -> FleetSnapshot:
    """Three replicas of a pipeline in which every circuit is closed but the `special` ones."""
    names = [f"{stage}.{tier}" for stage, tiers in TIERS.items() for tier in tiers]
    circuits = {name: named(name) for name in names} | {one.name: one for one in special}
    replicas = tuple(replica(f"rag-{n}") for n in (1, 2, 3))
    defaults: dict[str, Any] = {"circuits": tuple(circuits.values()), "replicas": replicas, "tiers": TIERS}
    return picture(**{**defaults, **fields})


def served(**tiers: int) -> TrafficPoint:
    return TrafficPoint(at=NOW, seconds=1.0, questions=9, degraded=9, broken=0, served={"embedder": tiers})


# ---- the headline ---------------------------------------------------------------------------------------------------


def test_a_healthy_fleet_answers_all_questions() -> None:
    told = impact(fleet())
    assert told.headline == "All questions answered · 0 % degraded · p99 9.0 ms · 3 of 3 replicas"
    assert (told.level, told.problems, told.notes, told.title) == ("well", (), (), "● all is well · ha_rag")


def test_degraded_answers_are_answers() -> None:
    told = impact(fleet(traffic=replace(degraded(0.38), p99_ms=420.4)))
    assert told.headline == "All questions answered · 38 % degraded · p99 420 ms · 3 of 3 replicas"
    assert (told.level, told.title) == ("reduced", "◐ 38 % degraded · ha_rag")


def test_questions_without_an_answer_are_what_is_said_first() -> None:
    told = impact(fleet(traffic=replace(CALM, lost_share=0.25)))
    assert told.headline.startswith("25 % of questions not answered · ")
    assert (told.level, told.title) == ("failing", "■ 25 % not answered · ha_rag")


def test_one_lost_question_of_thousands_is_told_and_is_no_alarm() -> None:
    told = impact(fleet(traffic=replace(CALM, lost_share=0.0004)))
    assert (told.level, told.headline.split(" · ")[0]) == ("well", "under 1 % of questions not answered")


def test_without_a_question_nothing_is_claimed_of_answers() -> None:
    told = impact(fleet(traffic=replace(CALM, per_s=0.0, p99_ms=None)))
    assert told.headline == "No questions now · 3 of 3 replicas"


def test_a_lost_replica_is_missing_in_the_headline() -> None:
    told = impact(fleet(lost=(LostReplica(name="rag-4", silent_s=12.0),)))
    assert told.headline.endswith("3 of 4 replicas")
    assert told.problems == ("replica rag-4 is lost: no heartbeat for 12 s",)
    assert (told.level, told.title) == ("reduced", "◐ rag-4 is lost · ha_rag")


def test_without_redis_the_number_of_replicas_is_unknown() -> None:
    told = impact(fleet(redis=RedisPicture(configured=True, reachable=False, problem="Connection refused")))
    assert told.headline.endswith("other replicas unknown")
    assert told.problems == ("Redis is unreachable (Connection refused): each replica decides by its own calls",)
    assert told.level == "reduced"


def test_a_program_without_a_pipeline_is_told_of_its_circuits() -> None:
    plain = fleet(circuits=(named("payments", "open"), named("stock")), tiers={}, traffic=replace(CALM, per_s=0.0))
    told = impact(plain)
    assert told.headline == "1 of 2 circuits open · 3 of 3 replicas"
    assert (told.level, told.title) == ("failing", "■ payments open · ha_rag")


# ---- what is wrong --------------------------------------------------------------------------------------------------


def test_an_open_circuit_is_told_with_why_who_when_and_what_answers_instead() -> None:
    open_ = named("embedder.primary", "open", recovers_in_s=3.2)
    told = impact(fleet(open_, traffic=replace(degraded(1.0), history=(served(secondary=8, zero=1),))))
    assert told.problems == (
        "embedder.primary open for 42 s: 12 of 12 failed, first seen by rag-2 · next probe in 3 s · "
        "answered by secondary instead",
    )


def test_before_the_first_question_the_next_tier_that_is_not_open_answers_instead() -> None:
    out = (named("embedder.primary", "open"), named("embedder.secondary", "open"))
    assert all(text.endswith("zero answers instead") for text in impact(fleet(*out)).problems[1:])


def test_a_circuit_open_by_hand_is_told_with_why_by_whom_and_until_when() -> None:
    told = impact(fleet(named("embedder.primary", "open", override=BY_HAND), at=1_800_014_400.0))
    assert told.problems == (
        "embedder.primary open by hand: maintenance, by admin, until 12:10 UTC · secondary answers instead",
    )
    assert told.level == "reduced"


def test_an_override_that_harms_nobody_is_a_note() -> None:
    shadow = replace(BY_HAND, mode="shadow", reason="a trial", ends_in_s=None)
    told = impact(fleet(named("embedder.primary", override=shadow)))
    assert (told.level, told.problems, told.notes) == (
        "well", (), ("embedder.primary in shadow: a trial, by admin",),
    )  # fmt: skip


def test_a_first_tier_that_is_closed_and_refuses_calls_in_one_replica_is_no_peace() -> None:
    told = impact(fleet(named("embedder.primary", differing=(Differing(replica="rag-2", state="open"),))))
    assert (told.level, told.problems) == ("reduced", ("embedder.primary closed, but not in rag-2 (open)",))


def test_many_circuits_do_not_fill_the_head() -> None:
    circuits = tuple(named(f"service-{n:02}", "open") for n in range(20))
    problems = impact(fleet(circuits=circuits)).problems
    assert (len(problems), problems[-1]) == (6, "and 15 more")


# ---- true at every moment -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("waiting", [False, True])
@pytest.mark.parametrize("per_s", [0.0, 5.0])
@pytest.mark.parametrize("name", ["embedder.primary", "payments"])
def test_a_half_open_circuit_is_never_told_as_well(name: str, per_s: float, waiting: bool) -> None:
    told = impact(fleet(named(name, "half_open", waiting=waiting), traffic=replace(CALM, per_s=per_s)))
    assert (told.level, len(told.problems)) == ("reduced", 1)
    assert told.problems[0].startswith(f"{name} half-open for 42 s: 12 of 12 failed, first seen by rag-2")
    assert told.title == f"◐ {name} not closed · ha_rag"


@pytest.mark.parametrize("state", ["half_open", "open"])
def test_a_fallback_that_nobody_needs_is_a_note_without_a_colour(state: str) -> None:
    told = impact(fleet(named("embedder.secondary", state)))
    assert (told.level, told.problems, len(told.notes)) == ("well", (), 1)


def test_a_fallback_counts_as_soon_as_it_is_needed() -> None:
    told = impact(fleet(named("embedder.secondary", "half_open"), named("embedder.primary", "open")))
    assert [text.split()[0] for text in told.problems] == ["embedder.primary", "embedder.secondary"]


@pytest.mark.parametrize("stage", ["retriever", "generator"])
def test_a_stage_without_any_tier_is_the_worst_even_before_a_question_comes(stage: str) -> None:
    out = [named(f"{stage}.{tier}", "open") for tier in TIERS[stage]]
    told = impact(fleet(*out, traffic=replace(CALM, per_s=0.0)))
    assert (told.level, told.problems[0]) == ("failing", f"no tier of the {stage} is left")
    assert told.title == f"■ no {stage} is left · ha_rag"


def test_questions_are_answered_without_an_embedder() -> None:
    out = [named(f"embedder.{tier}", "open") for tier in TIERS["embedder"]]
    assert impact(fleet(*out)).level == "reduced"


def test_a_circuit_of_each_replica_that_is_open_in_one_of_three_leaves_the_stage_alive() -> None:
    mine = named("retriever.hybrid", "open", scope="replica", differing=(Differing(replica="rag-2", state="open"),))
    everywhere = tuple(Differing(replica=f"rag-{n}", state="open") for n in (1, 2, 3))
    assert impact(fleet(mine)).level == "reduced"
    assert impact(fleet(replace(mine, differing=everywhere))).level == "failing"


def test_no_replica_at_all_is_the_worst() -> None:
    told = impact(fleet(replicas=(), traffic=replace(CALM, per_s=0.0)))
    assert (told.level, told.title) == ("failing", "■ no replica is running · ha_rag")


def test_circuits_of_0_1_0_which_does_not_tell_its_tiers_are_ordered_by_their_names() -> None:
    told = impact(fleet(named("embedder.secondary", "half_open"), tiers={}))
    assert told.level == "well"
    unknown = (named("embedder.a"), named("embedder.b", "half_open"))
    assert impact(picture(circuits=unknown)).level == "reduced"


def test_a_snapshot_keeps_the_impact_that_its_replica_sent() -> None:
    sent = impact(fleet(traffic=degraded(0.5)))
    assert with_impact(fleet(impact=sent)).impact == sent
    assert with_impact(fleet()).impact == impact(fleet())


def test_the_documentation_prints_the_table() -> None:
    assert table() in WATCHING.read_text(encoding="utf-8")
