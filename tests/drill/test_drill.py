"""What a drill says: stages by name, a table of what became of them, and a verdict that hides nothing."""

from __future__ import annotations

import asyncio
import io
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from rich.console import Console

from ha_rag.assembly.configuration import load_settings
from ha_rag.drill import rehearsal
from ha_rag.drill.configuration import FAST, FULL, drilled_configuration
from ha_rag.drill.ground import Sight
from ha_rag.drill.picture import live, table, verdict
from ha_rag.drill.rehearsal import Rehearsal, Scene
from ha_rag.drill.result import StageResult
from ha_rag.drill.stages import STAGES, Stage, stages_named
from ha_rag.simulation.load_stats import LoadStats, QuestionResult


def result(**facts: Any) -> StageResult:
    plain: dict[str, Any] = {"name": "embedder", "title": "the embedder fails", "asked": 10, "answered": 10}
    return StageResult(**(plain | facts))


def drawn(shown: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=160, color_system=None).print(shown)
    return out.getvalue()


# ---- stages ---------------------------------------------------------------------------------------------------------


def test_every_stage_has_a_name_of_its_own() -> None:
    assert len({stage.name for stage in STAGES}) == len(STAGES) == 9


def test_one_stage_can_be_named_and_a_wrong_name_is_answered_with_the_right_ones() -> None:
    assert [stage.name for stage in stages_named("redis")] == ["redis"]
    assert stages_named(None) == STAGES
    with pytest.raises(ValueError, match="there is no stage 'x'; there are embedder, slow"):
        stages_named("x")


@pytest.mark.parametrize("tempo", [FAST, FULL])
def test_the_drilled_fleets_configuration_is_one_that_replicas_take(tmp_path, tempo) -> None:
    file = tmp_path / "ha_rag.toml"
    file.write_text(drilled_configuration(tempo, 9100, "redis://localhost:1/0"))
    settings = load_settings(file, variables={})
    policy = settings.circuits["generator.primary"].policy
    assert (policy.recovery_timeout_s, policy.window_s) == (tempo.rest_s, tempo.window_s)
    # So many questions a second that a window holds enough of them, with the drill's default of 20.
    assert 20 * policy.window_s > 2 * policy.min_samples


# ---- results --------------------------------------------------------------------------------------------------------


def test_a_stage_passes_where_all_was_answered_and_nothing_missed() -> None:
    assert result().passed
    assert not result(answered=9).passed
    assert not result(missed=("not everything came back",)).passed
    assert not result(asked=0, answered=0).passed, "nothing was asked, so nothing was shown"


def test_the_verdict_counts_every_question_and_names_every_stage_that_failed() -> None:
    assert verdict([result(), result()]) == "20 questions asked, every one answered."
    said = verdict([result(), result(answered=8, title="Redis is killed")])
    assert said == "20 questions asked, 18 answered; not as it should be: Redis is killed."


def test_the_table_says_why_questions_were_lost() -> None:
    shown = drawn(table([result(answered=8, failures={"HTTP 503": 2}, p99_ms=812.4, opened_s=0.2, reached=3)]))
    assert "✗" in shown
    assert "812 ms" in shown
    assert "0.20 s" in shown
    assert "the embedder fails: 2 questions: HTTP 503" in shown


def test_live_each_replicas_circuits_stand_side_by_side() -> None:
    seen = {"rag-1": Sight({"a": "open"}, "fresh"), "rag-3": Sight({"a": "closed"}, "fresh")}
    shown = drawn(live(Scene(stage=STAGES[0], phase="outage", seen=seen), STAGES, ("rag-1", "rag-2", "rag-3")))
    line = next(line for line in shown.splitlines() if line.startswith("a "))
    assert line.split() == ["a", "■", "open", "–", "●", "closed"]
    assert "▶" in shown


# ---- the rehearsal --------------------------------------------------------------------------------------------------

CLOSED, OPEN = Sight({"c": "closed"}, "fresh"), Sight({"c": "open"}, "fresh")


@dataclass
class Stand:
    """A ground that does what it is told, and nothing by itself. `opens`: whether the circuit opens when struck."""

    opens: bool = True
    closes: bool = True
    url: str = "http://127.0.0.1:1"
    replicas: dict[str, str] = field(default_factory=lambda: {"a": "", "b": ""})
    sight: Sight = CLOSED

    async def look(self) -> dict[str, Sight]:
        return dict.fromkeys(self.replicas, self.sight)

    async def received(self, targets: tuple[str, ...]) -> int:
        return 7

    async def strike(self, _: object) -> None:
        self.sight = OPEN if self.opens else CLOSED

    async def recover(self, _: object) -> None:
        self.sight = CLOSED if self.closes else OPEN


async def rehearsed(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> StageResult:
    async def answers(stream, per_s, *, heard, stop) -> LoadStats:
        while not stop.is_set():
            heard(QuestionResult(question="?", asked_at_s=time.monotonic(), ms=1.0, answered=True))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.01)
        return LoadStats()

    monkeypatch.setattr(rehearsal, "ask_open", answers)
    monkeypatch.setattr(rehearsal, "LONGEST_RECOVERY_S", 0.3)
    stage = Stage(name="s", title="s", strike=stand.strike, recover=stand.recover, opens=("c",), dead=("chat",))
    drill = Rehearsal(stand, outage_s=0.3, per_s=100)  # type: ignore[arg-type]  # all that it asks of a ground
    (found,) = await drill.run([stage])
    return found


async def test_what_opens_and_closes_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await rehearsed(Stand(), monkeypatch)
    assert found.passed
    assert found.opened_s is not None
    assert found.closed_s is not None
    assert (found.reached, found.degraded) == (0, 0)
    assert found.asked == found.answered > 0


async def test_what_does_not_open_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await rehearsed(Stand(opens=False), monkeypatch)
    assert (found.passed, found.missed, found.opened_s, found.reached) == (
        False,
        ("not every replica opened",),
        None,
        None,
    )


async def test_what_does_not_come_back_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await rehearsed(Stand(closes=False), monkeypatch)
    assert (found.passed, found.missed, found.closed_s) == (False, ("not everything came back",), None)
