"""The page that a drill leaves: whole in itself, and true to what was seen."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ha_rag.drill.film import GONE, Film, Span
from ha_rag.drill.report import report
from ha_rag.drill.result import StageResult
from ha_rag.simulation.load_stats import QuestionResult

WELL = StageResult(name="embedder", title="the embedder <fails>", asked=2, answered=2, p50_ms=7.0, opened_s=0.2)


def reply(at_s: float, tier: str = "primary", *, answered: bool = True, ms: float = 7.0) -> QuestionResult:
    served = {"embedder": tier, "retriever": "primary", "generator": "primary"} if answered else {}
    return QuestionResult(
        question="?", asked_at_s=at_s, ms=ms, answered=answered, served_by=served, why="" if answered else "503"
    )


@pytest.fixture
def film() -> Film:
    """Begun at 100: healthy for a second, then an outage of two; one replica opens, the other one goes."""
    film, both = Film(100.0), {"rag-1": "", "rag-2": ""}
    film.entered("the embedder <fails>", "healthy", 100.0)
    film.saw({"rag-1": {"e": "closed", "g": "closed"}, "rag-2": {"e": "closed", "g": "closed"}}, both, 100.0)
    film.heard(reply(100.5))
    film.entered("the embedder <fails>", "outage", 101.0)
    film.saw({"rag-1": {"e": "closed", "g": "closed"}, "rag-2": {"e": "closed", "g": "closed"}}, both, 101.5)
    film.saw({"rag-1": {"e": "open", "g": "closed"}}, both, 102.0)
    film.heard(reply(101.6, "secondary", ms=900.0))
    film.heard(reply(102.2, answered=False))
    film.saw({"rag-1": {"e": "open", "g": "closed"}}, both, 103.0)
    return film


def test_a_film_holds_what_was_seen_and_for_how_long(film: Film) -> None:
    assert film.states["e", "rag-1"] == [Span(0.0, 2.0, "closed"), Span(2.0, 3.0, "open")]
    assert film.states["e", "rag-2"] == [Span(0.0, 2.0, "closed"), Span(2.0, 3.0, GONE)]
    assert [span for _, span in film.phases] == [Span(0.0, 1.0, "healthy"), Span(1.0, 3.0, "outage")]
    assert film.length_s == 3.0


def test_the_page_needs_nothing_but_itself(film: Film) -> None:
    page = report(film, [WELL])
    assert re.findall(r"(?:src|href)=|url\(|https?://|<script", page) == []


class Drawn(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.shapes: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shapes.append((tag, dict(attrs)))

    def of(self, tag: str, kind: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.shapes if name == tag and attrs.get("class") == kind]


def test_states_are_drawn_where_and_as_long_as_they_held(film: Film) -> None:
    drawn = Drawn(report(film, [WELL]))
    (opened,) = [bar for bar in drawn.of("rect", "open") if "x" in bar]
    assert (float(opened["x"] or 0), float(opened["width"] or 0)) == pytest.approx((190 + 2000 / 3, 1000 / 3), abs=0.1)
    assert len([bar for bar in drawn.of("rect", "gone") if "x" in bar]) == 1


def test_a_circuit_that_stayed_closed_takes_no_room(film: Film) -> None:
    page = report(film, [WELL])
    assert "e · rag-1" in page
    assert "g · rag-1" not in page


def test_every_question_is_a_dot_and_a_lost_one_stands_out(film: Film) -> None:
    drawn = Drawn(report(film, [WELL]))
    assert len(drawn.of("circle", "answer")) == 2
    assert len(drawn.of("circle", "loss")) == 1


def test_what_comes_from_elsewhere_stays_text(film: Film) -> None:
    page = report(film, [WELL])
    assert "the embedder &lt;fails&gt;" in page
    assert "<fails>" not in page


def test_the_verdict_stands_on_top_and_says_when_something_failed(film: Film) -> None:
    assert "2 questions asked, every one answered." in report(film, [WELL])
    lost = StageResult(
        name="x", title="x", asked=2, answered=1, missed=("not everything came back",), failures={"503": 1}
    )
    page = report(film, [lost])
    assert "<p class='verdict failed'>" in page
    assert "not everything came back" in page


def test_a_drill_without_questions_still_makes_a_page(tmp_path: Path) -> None:
    assert "ha-rag drill" in report(Film(0.0), [])
