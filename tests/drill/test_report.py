"""The HTML report of a drill: self-contained, and true to the recording."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ha_rag.drill.recording import UNREACHABLE, Recording, Span
from ha_rag.drill.report import report
from ha_rag.drill.result import StageResult
from ha_rag.monitor.tier_pictures import stage_pictures
from ha_rag.simulation.load_stats import QuestionResult
from ha_rag.telemetry import sketch
from tests.hostile_text import HOSTILE, assert_harmless
from tests.monitor.pictures import circuit, picture

ALL_CLOSED = {replica: {"e": "closed", "g": "closed"} for replica in ("rag-1", "rag-2")}
WELL = StageResult(name="embedder", title="the embedder <fails>", asked=2, answered=2, p50_ms=7.0, opened_s=0.2)


def reply(at_s: float, tier: str = "primary", *, answered: bool = True, ms: float = 7.0) -> QuestionResult:
    served = {"embedder": tier, "retriever": "primary", "generator": "primary"} if answered else {}
    return QuestionResult(
        question="?", asked_at_s=at_s, ms=ms, answered=answered, served_by=served, why="" if answered else "503"
    )


@pytest.fixture
def recording() -> Recording:
    """Started at 100: healthy for 1 s, then an outage of 2 s in which one replica opens and the other is lost."""
    recording, both = Recording(100.0), {"rag-1": "", "rag-2": ""}
    recording.enter_phase("the embedder <fails>", "healthy", 100.0)
    recording.add_states(ALL_CLOSED, both, 100.0)
    recording.add_reply(reply(100.5))
    recording.enter_phase("the embedder <fails>", "outage", 101.0)
    recording.add_states(ALL_CLOSED, both, 101.5)
    recording.add_states({"rag-1": {"e": "open", "g": "closed"}}, both, 102.0)
    recording.add_reply(reply(101.6, "secondary", ms=900.0))
    recording.add_reply(reply(102.2, answered=False))
    recording.add_states({"rag-1": {"e": "open", "g": "closed"}}, both, 103.0)
    return recording


def test_a_recording_holds_each_state_and_phase_and_how_long_it_lasted(recording: Recording) -> None:
    assert recording.states["e", "rag-1"] == [Span(0.0, 2.0, "closed"), Span(2.0, 3.0, "open")]
    assert recording.states["e", "rag-2"] == [Span(0.0, 2.0, "closed"), Span(2.0, 3.0, UNREACHABLE)]
    assert [span for _, span in recording.phases] == [Span(0.0, 1.0, "healthy"), Span(1.0, 3.0, "outage")]
    assert recording.length_s == 3.0


def test_the_page_loads_nothing(recording: Recording) -> None:
    page = report(recording, [WELL])
    assert re.findall(r"(?:src|href)=|url\(|https?://|<script", page) == []


class Shapes(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.shapes: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shapes.append((tag, dict(attrs)))

    def of(self, tag: str, kind: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.shapes if name == tag and attrs.get("class") == kind]


def test_each_state_is_drawn_at_its_time_and_to_its_length(recording: Recording) -> None:
    drawn = Shapes(report(recording, [WELL]))
    (opened,) = [bar for bar in drawn.of("rect", "open") if "x" in bar]
    assert (float(opened["x"] or 0), float(opened["width"] or 0)) == pytest.approx((190 + 2000 / 3, 1000 / 3), abs=0.1)
    assert len([bar for bar in drawn.of("rect", "unreachable") if "x" in bar]) == 1


def test_a_circuit_that_stayed_closed_is_left_out(recording: Recording) -> None:
    page = report(recording, [WELL])
    assert "e · rag-1" in page
    assert "g · rag-1" not in page


def test_every_question_is_a_dot_and_an_unanswered_one_stands_out(recording: Recording) -> None:
    drawn = Shapes(report(recording, [WELL]))
    assert len(drawn.of("circle", "answer")) == 2
    assert len(drawn.of("circle", "loss")) == 1


def test_titles_are_escaped(recording: Recording) -> None:
    page = report(recording, [WELL])
    assert "the embedder &lt;fails&gt;" in page
    assert "<fails>" not in page


def test_hostile_names_states_tiers_and_reasons_stay_text() -> None:
    recording, both = Recording(0.0), {HOSTILE: "", "rag-2' onload='x": ""}
    recording.enter_phase(HOSTILE, "outage", 0.0)
    states = {replica: {HOSTILE: "x onmouseover=alert(1)", f"{HOSTILE}2": "open"} for replica in both}
    recording.add_states(states, both, 0.0)
    recording.add_states(states, both, 1.0)
    recording.add_reply(reply(0.5, HOSTILE))
    hostile = replace(WELL, title=HOSTILE, missed=(HOSTILE,), failures={HOSTILE: 1}, answered=1)
    page = report(recording, [hostile])
    assert_harmless(page)
    drawn = Shapes(page)
    assert not [shape for shape in drawn.shapes if shape[0] == "b"]
    assert not [name for _, attrs in drawn.shapes for name in attrs if name.startswith("on")]
    assert len(drawn.of("rect", "unreachable")) == 3, "a state that nobody knows, at two replicas, and the key"
    assert "\\u202eevil" in page


def test_the_verdict_says_what_failed(recording: Recording) -> None:
    assert "2 questions asked, every one answered." in report(recording, [WELL])
    lost = StageResult(
        name="x", title="x", asked=2, answered=1, missed=("the fleet did not recover",), failures={"503": 1}
    )
    page = report(recording, [lost])
    assert "<p class='verdict failed'>" in page
    assert "the fleet did not recover" in page


def test_the_usual_latency_is_the_median_of_answers_that_were_not_degraded(recording: Recording) -> None:
    for ms, degraded in ((8.0, False), (9.0, False), (700.0, True)):
        recording.add_reply(replace(reply(103.0, ms=ms), degraded=degraded))
    assert recording.usual_ms == 8.5, "of 7, 8, 9 and 900"
    assert Recording(0.0).usual_ms is None


def test_the_page_says_how_soon_an_outage_was_noticed(recording: Recording) -> None:
    page = report(recording, [replace(WELL, wasted=17, reached=2, waited_s=12.34, closed_s=4.5)])
    assert "<td>0.20 s<td>17<td>2<td>12.3 s<td>4.50 s" in page
    assert "<dt>calls wasted<dd>calls to the broken service until then" in page


def with_a_map(recording: Recording, *, hostile: str = "") -> Recording:
    """A recording whose fleet was seen at the end of the outage; `hostile`: a second tier's name."""
    names = ("embedder.primary", f"embedder.{hostile or 'secondary'}")
    seen = picture(circuits=tuple(circuit(name=name, state="open" if name == names[0] else "closed") for name in names))
    seen = replace(seen, stages=stage_pictures(seen, {names[0]: {sketch.bucket(14.0): 5}}))
    title = next(title for title, span in recording.phases if span.what == "outage")
    recording.pictures.append((title, seen))
    return recording


def test_the_map_of_an_outage_has_the_shares_of_its_answers_and_the_states_at_its_end(recording: Recording) -> None:
    recording.add_reply(reply(102.5, "zero"))
    page = report(with_a_map(recording), [WELL])
    assert "embedder: primary open, 0 %, secondary closed, 50 %, zero last resort, 50 %" in page
    assert 'class="node open"' in page
    assert "14 ms / 14 ms" in page
    assert re.findall(r"(?:src|href)=|url\(|https?://|<script", page) == []


def test_a_share_that_is_not_nothing_is_not_shown_as_nothing(recording: Recording) -> None:
    for _ in range(300):
        recording.add_reply(reply(102.5, "secondary"))
    recording.add_reply(reply(102.5, "zero"))
    assert "zero last resort, &lt;1 %" in report(with_a_map(recording), [WELL])


def test_names_on_the_map_stay_text() -> None:
    recording = Recording(0.0)
    recording.enter_phase("outage", "outage", 0.0)
    recording.add_reply(reply(0.5, HOSTILE))
    page = report(with_a_map(recording, hostile=HOSTILE), [WELL])
    assert_harmless(page)
    assert not [name for _, attrs in Shapes(page).shapes for name in attrs if name.startswith("on")]


def test_a_drill_without_questions_still_makes_a_page(tmp_path: Path) -> None:
    assert "ha-rag drill" in report(Recording(0.0), [])
