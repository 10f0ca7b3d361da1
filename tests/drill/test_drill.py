"""The stages of a drill, how each is measured, and what the terminal shows."""

from __future__ import annotations

import asyncio
import io
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from rich.console import Console

from ha_rag.assembly.configuration import load_settings
from ha_rag.circuit.latency import MIN_CALLS
from ha_rag.drill import run
from ha_rag.drill.configuration import FAST, FULL, GENERATOR_TIMEOUT_S, Timing, fleet_configuration
from ha_rag.drill.display import live, tables, verdict
from ha_rag.drill.fleet import ReplicaHealth
from ha_rag.drill.result import StageResult
from ha_rag.drill.run import DrillRun, Progress
from ha_rag.drill.stages import STAGES, Stage, stages_named
from ha_rag.monitor.snapshot import FleetSnapshot
from ha_rag.simulation.load_stats import LoadStats, QuestionResult
from tests.dashboards.fleets import FLEETS
from tests.hostile_text import HOSTILE, SHOWN, assert_harmless


def result(**values: Any) -> StageResult:
    defaults: dict[str, Any] = {"name": "embedder", "title": "the embedder fails", "asked": 10, "answered": 10}
    return StageResult(**(defaults | values))


def printed(renderable: Any, width: int = 160) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(renderable)
    return out.getvalue()


# ---- stages ---------------------------------------------------------------------------------------------------------


def test_every_stage_has_its_own_name() -> None:
    assert len({stage.name for stage in STAGES}) == len(STAGES) == 12


def test_a_stage_can_be_chosen_by_name_and_a_wrong_name_lists_the_right_ones() -> None:
    assert [stage.name for stage in stages_named("redis")] == ["redis"]
    assert stages_named(None) == STAGES
    with pytest.raises(ValueError, match="there is no stage 'x'; there are embedder, steady-dead"):
        stages_named("x")


def test_steady_traffic_comes_before_a_dead_a_hanging_and_a_slow_generator() -> None:
    steady = [stage for stage in STAGES if stage.steady]
    assert [stage.name for stage in steady] == ["steady-dead", "steady-hanging", "brownout"]
    assert {stage.opens for stage in steady} == {("generator.primary",)}


@pytest.mark.parametrize("name", ["steady-hanging", "brownout"])
def test_an_outage_in_which_calls_hang_outlasts_their_timeout(name: str) -> None:
    (stage,) = stages_named(name)
    assert stage.at_least_s > GENERATOR_TIMEOUT_S > 2.0, "2 s: how long an answer takes in the brownout"


@pytest.mark.parametrize("timing", [FAST, FULL])
def test_replicas_accept_the_configuration(tmp_path, timing) -> None:
    file = tmp_path / "ha_rag.toml"
    file.write_text(fleet_configuration(timing, 9100, "redis://localhost:1/0"))
    settings = load_settings(file, variables={})
    policy = settings.circuits["generator.primary"].policy
    assert (policy.recovery_timeout_s, policy.window_s) == (timing.rest_s, timing.window_s)
    # At the default of 20 questions per second, a window holds enough of them.
    assert 20 * policy.window_s > 2 * policy.min_samples


# ---- results --------------------------------------------------------------------------------------------------------


def test_a_stage_passes_if_every_question_was_answered_and_nothing_missed() -> None:
    assert result().passed
    assert not result(answered=9).passed
    assert not result(asked_before=5, answered_before=4).passed
    assert not result(missed=("the fleet did not recover",)).passed
    assert not result(asked=0, answered=0).passed, "nothing was asked, so nothing was shown"


def test_the_wait_of_users_is_what_exceeds_the_usual_latency_also_of_questions_without_an_answer() -> None:
    stats = LoadStats()
    for ms in (5.0, 10.0, 1010.0):
        stats.add(QuestionResult(question="?", asked_at_s=0.0, ms=ms, answered=True))
    stats.add(QuestionResult(question="?", asked_at_s=0.0, ms=2010.0, answered=False, why="HTTP 503"))
    assert result().counting(LoadStats(), stats, usual_ms=10.0).waited_s == 3.0
    assert result().counting(LoadStats(), stats, usual_ms=None).waited_s is None


def test_a_question_lost_before_the_outage_counts_for_the_stage() -> None:
    before = LoadStats()
    before.add(QuestionResult(question="?", asked_at_s=0.0, ms=1.0, answered=False, why="HTTP 503"))
    counted = result().counting(before, LoadStats(), usual_ms=1.0)
    assert (counted.lost, counted.failures, counted.asked) == (1, {"HTTP 503": 1}, 0)


def test_the_verdict_counts_every_question_and_names_every_stage_that_failed() -> None:
    assert verdict([result(), result(asked_before=7, answered_before=7)]) == "27 questions asked, every one answered."
    text = verdict([result(), result(answered=8, title="Redis is killed")])
    assert text == "20 questions asked, 18 answered; failed: Redis is killed."


def test_the_tables_show_each_measurement_and_why_questions_were_lost() -> None:
    values: dict[str, Any] = {"opened_s": 0.2, "wasted": 14, "reached": 3, "waited_s": 12.34, "closed_s": 4.5}
    text = printed(tables([result(answered=8, failures={"HTTP 503": 2}, p99_ms=812.4, **values)]))
    answers, detection = (line for line in text.splitlines() if line.startswith("✗"))
    assert answers.split()[-5:] == ["10", "2", "0", "812", "ms"]
    assert detection.split()[4:] == ["0.20", "s", "14", "3", "12.3", "s", "4.50", "s"]
    assert "the embedder fails: 2 questions not answered: HTTP 503" in text


def test_the_tables_fit_into_80_columns() -> None:
    slowest: dict[str, Any] = {
        "p50_ms": 2030.0,
        "p99_ms": 2030.0,
        "opened_s": 10.5,
        "closed_s": 10.5,
        "waited_s": 240.3,
    }
    text = printed(tables([result(title=stage.title, wasted=100, reached=1, **slowest) for stage in STAGES]), width=80)
    assert "…" not in text
    for stage in STAGES:
        assert len([line for line in text.splitlines() if stage.title in line and line.endswith("s")]) == 2


def test_the_live_view_shows_the_circuits_of_the_replicas_side_by_side() -> None:
    circuit = STAGES[0].opens[0]
    states = {"rag-1": {circuit: "open"}, "rag-3": {circuit: "closed"}}
    health = {replica: ReplicaHealth(state, "fresh") for replica, state in states.items()}
    progress = Progress(stage=STAGES[0], phase="outage", health=health)
    text = printed(live(progress, STAGES, ("rag-1", "rag-2", "rag-3")))
    line = next(line for line in text.splitlines() if line.startswith(circuit))
    assert line.split() == [circuit, "■", "open", "–", "●", "closed"]
    assert "▶" in text
    assert len(text.splitlines()) <= 24, "the lines of a common terminal"


def test_the_live_view_says_how_soon_a_finished_stage_was_noticed() -> None:
    done = result(name=STAGES[0].name, opened_s=0.2, wasted=14)
    text = printed(live(Progress(stage=STAGES[1], phase="steady traffic", results=[done]), STAGES, ()))
    assert "open on all after 0.20 s, 14 calls wasted" in text


def test_hostile_names_and_reasons_change_neither_the_tables_nor_the_live_view() -> None:
    hostile = result(title=HOSTILE, missed=(HOSTILE,), failures={HOSTILE: 2}, answered=8)
    asked = LoadStats()
    asked.add(QuestionResult(question="?", asked_at_s=0, ms=1, answered=True, served_by={"embedder": HOSTILE}))
    stage = replace(STAGES[0], title=HOSTILE, opens=(HOSTILE,))
    health = {HOSTILE: ReplicaHealth({HOSTILE: HOSTILE}, HOSTILE)}
    progress = Progress(stage=stage, phase=HOSTILE, health=health, questions=asked)
    text = printed(tables([hostile]), 1000) + printed(live(progress, (stage,), (HOSTILE,)), 1000)
    assert_harmless(text)
    assert SHOWN in text


# ---- a run ----------------------------------------------------------------------------------------------------------

CLOSED, OPEN = ReplicaHealth({"c": "closed"}, "fresh"), ReplicaHealth({"c": "open"}, "fresh")
TIMING = Timing(outage_s=0.3, rest_s=0.1, window_s=0.1)


@dataclass
class FakeFleet:
    """`opens`, `closes`: whether the circuit follows the outage. `received`: calls that the provider has counted."""

    opens: bool = True
    closes: bool = True
    url: str = "http://127.0.0.1:1"
    replicas: dict[str, str] = field(default_factory=lambda: {"a": "", "b": ""})
    state: ReplicaHealth = CLOSED
    received: list[int] = field(default_factory=lambda: [100, 117, 119])
    answered: Counter[str] = field(default_factory=Counter)
    answered_at_start: Counter[str] = field(default_factory=Counter)

    async def health(self) -> dict[str, ReplicaHealth]:
        return dict.fromkeys(self.replicas, self.state)

    async def picture(self) -> FleetSnapshot | None:
        return FLEETS["outage"] if self.state is OPEN else None

    async def calls_received(self, targets: tuple[str, ...]) -> int:
        return self.received.pop(0)

    async def start(self) -> None:
        self.state, self.answered_at_start = OPEN if self.opens else CLOSED, self.answered.copy()

    async def end(self) -> None:
        self.state = CLOSED if self.closes else OPEN


STAGE = Stage(name="s", title="s", start=FakeFleet.start, end=FakeFleet.end, opens=("c",), targets=("chat",))  # type: ignore[arg-type]  # of the fake


async def ran(
    fleet: FakeFleet,
    monkeypatch: pytest.MonkeyPatch,
    stage: Stage = STAGE,
    *,
    replicas: tuple[str, ...] = ("a", "b"),
    limit_s: float = 60.0,
) -> tuple[StageResult, DrillRun]:
    """Runs the stage with answers of these replicas. `limit_s`: when to give up waiting for the fleet."""

    async def answers(profile, per_s, *, heard, stop) -> LoadStats:
        while not stop.is_set():
            for replica in replicas:
                served_by = {"generator": "primary"}
                reply = QuestionResult(question="?", asked_at_s=time.monotonic(), ms=1.0, answered=True)
                heard(replace(reply, replica=replica, served_by=served_by))
                fleet.answered[replica] += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.002)
        return LoadStats()

    monkeypatch.setattr(run, "ask_open", answers)
    monkeypatch.setattr(run, "RECOVERY_LIMIT_S", limit_s)
    drill = DrillRun(fleet, TIMING, per_s=1000)  # type: ignore[arg-type]  # a fake
    (found,) = await drill.run([stage])
    return found, drill


async def test_opening_and_recovery_are_timed_and_calls_to_the_broken_service_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, _ = await ran(FakeFleet(), monkeypatch)
    assert found.passed
    assert found.opened_s is not None
    assert found.closed_s is not None
    assert (found.wasted, found.reached, found.degraded, found.waited_s) == (17, 2, 0, 0.0)
    assert found.asked == found.answered > 0


async def test_the_fleet_is_looked_at_while_the_outage_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    _, drill = await ran(FakeFleet(), monkeypatch)
    assert drill.recording.pictures == [("s", FLEETS["outage"])]
    _, unseen = await ran(FakeFleet(opens=False), monkeypatch)
    assert unseen.recording.pictures == []


async def test_a_circuit_that_does_not_open_fails_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = await ran(FakeFleet(opens=False), monkeypatch)
    assert (found.passed, found.missed) == (False, ("the circuit did not open at every replica",))
    assert (found.opened_s, found.wasted, found.reached) == (None, 17, None)


async def test_a_fleet_that_does_not_recover_fails_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = await ran(FakeFleet(closes=False), monkeypatch, limit_s=0.3)
    assert (found.passed, found.missed, found.closed_s) == (False, ("the fleet did not recover",), None)


async def test_a_steady_stage_starts_when_every_replica_has_had_its_good_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = FakeFleet()
    found, drill = await ran(fleet, monkeypatch, replace(STAGE, steady="generator.primary"))
    assert found.passed
    assert min(fleet.answered_at_start[replica] for replica in fleet.replicas) >= MIN_CALLS
    (_, steady), *_ = drill.recording.phases
    assert steady.what == "steady traffic"


async def test_a_replica_without_good_calls_fails_a_steady_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    steady = replace(STAGE, steady="generator.primary")
    found, _ = await ran(FakeFleet(), monkeypatch, steady, replicas=("a",), limit_s=0.3)
    assert found.missed == ("not every replica had 100 good calls before the outage",)


async def test_an_error_in_the_background_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails() -> None:
        raise ValueError("not JSON")

    fleet = FakeFleet()
    monkeypatch.setattr(fleet, "health", fails)
    with pytest.raises(ValueError, match="not JSON"):
        await ran(fleet, monkeypatch)


async def test_an_outage_lasts_as_long_as_its_stage_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    _, drill = await ran(FakeFleet(), monkeypatch, replace(STAGE, at_least_s=0.6))
    outage = next(span for _, span in drill.recording.phases if span.what == "outage")
    assert outage.to_s - outage.from_s >= 0.6
