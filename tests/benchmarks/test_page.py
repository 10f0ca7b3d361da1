"""The page says what was measured, and of everything else that it was not."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.report.catalogue import benchmarks
from benchmarks.report.figures import shown
from benchmarks.report.page import page, plots, write
from benchmarks.report.result import Result, results
from benchmarks.report.rows import Row, at_least, at_most
from tests.benchmarks.made_results import MACHINE, made

CALLS = [
    Row.of("one call", "ours", "us", [0.5, 0.7, 0.6], bar=at_most(1)),
    Row.of("one call", "a peer", "us", [5.0]),
    Row.absent("one call", "another peer", "us", "its wheel is for other systems"),
]


def section(text: str, title: str) -> str:
    return text.partition(f"### {title}\n")[2].partition("\n### ")[0].partition("\n## ")[0]


def test_without_results_nothing_is_told_but_that() -> None:
    text = page({})
    assert "Nothing has been measured yet." in text
    assert text.count("Not measured: ") == len(benchmarks())


def test_a_benchmark_without_a_result_is_told_as_not_measured_with_its_command() -> None:
    text = section(
        page({"guarded_call": made("guarded_call", CALLS)}), "From the deciding failure to a refusal elsewhere"
    )
    assert text.strip() == "Not measured: `python -m benchmarks.trip_latency`."


def test_rows_stand_beside_each_other_with_their_spread_and_bar() -> None:
    text = section(page({"guarded_call": made("guarded_call", CALLS)}), "What a guarded call costs")
    assert "| ours | 0.6 | 0.5 to 0.7 | 3 | at most 1: reached |" in text
    assert "| a peer | 5 |  | 1 |  |" in text
    assert "$ python -m benchmarks.guarded_call\n" in text


def test_a_peer_that_cannot_be_run_gets_a_line_that_says_why() -> None:
    text = page({"guarded_call": made("guarded_call", CALLS)})
    assert "| another peer | not measured: its wheel is for other systems |" in text


@pytest.mark.parametrize("bar", [at_most(2), at_least(4)], ids=["too many", "too few"])
def test_a_missed_bar_stands_in_the_table_and_in_the_summary(bar) -> None:
    text = page({"weight": made("weight", [Row.of("size", "ours", "MB", [3.0], bar=bar)])})
    assert f"| {bar.side} {bar.value:g}: **missed** |" in text
    assert f"- **Missed:** size, ours: 3 MB, bar {bar.side} {bar.value:g} (`weight`)" in text
    assert "0 bars were reached, 1 missed, and 0 not measured." in text


def test_a_bar_of_something_that_was_not_measured_is_neither_reached_nor_missed() -> None:
    text = page({"weight": made("weight", [Row.of("size", "ours", "MB", [], bar=at_most(2), note="no disk")])})
    assert "| not measured: no disk |  |  | at most 2: not measured |" in text
    assert "0 bars were reached, 0 missed, and 1 not measured." in text


def test_what_never_happened_is_told_as_that_and_misses_its_bar() -> None:
    rows = [Row.of("calls pass again", "ours", "s", [], bar=at_most(15), note="never: not within 20 s")]
    text = page({"recovery": made("recovery", rows)})
    assert "| ours | never: not within 20 s |  |  | at most 15: **missed** |" in text
    assert "- **Missed:** calls pass again, ours: never: not within 20 s, bar at most 15 (`recovery`)" in text


def test_a_failed_benchmark_is_told_with_the_end_of_its_errors() -> None:
    text = section(page({"weight": made("weight", status=1, errors="no space left")}), "What an installation weighs")
    assert "**It failed** with status 1." in text
    assert "no space left" in text


def test_a_benchmark_without_rows_shows_what_it_printed() -> None:
    assert "```text\nwhat it printed\n```" in page({"weight": made("weight")})


def test_the_machine_and_its_load_are_told() -> None:
    busy = made("weight", machine=MACHINE.__class__(**{**vars(MACHINE), "load": 3.4}))
    text = page({"weight": busy, "guarded_call": made("guarded_call", CALLS)})
    assert "Made Up 3000, 2 cores, 8 GB, Linux x86_64, Python 3.11.7. redis-server 7.0.1." in text
    assert "0 to 3.4 processes were ready to run, on 2 cores." in text


def test_only_what_can_be_compared_is_drawn_and_each_plot_is_well_formed() -> None:
    drawn = plots({"guarded_call": made("guarded_call", [*CALLS, Row.of("alone", "ours", "us", [1.0])])})
    assert list(drawn) == ["guarded_call-1.svg"]
    texts = [node.text for node in ElementTree.fromstring(drawn["guarded_call-1.svg"]).iter() if node.text]
    assert {"ours", "a peer", "0.6", "5"} <= set(texts)
    assert "another peer" not in texts


def over_replicas(who: str, figures: dict[int, float]) -> list[Row]:
    return [
        Row.of("share", who, "%", [figure], bar=at_most(20) if at == 1000 else None, at=at, axis="replicas")
        for at, figure in figures.items()
    ]


CURVES = [*over_replicas("ours", {10: 1.0, 100: 6.0, 1000: 12.0}), *over_replicas("a peer", {10: 2.0, 1000: 40.0})]


def test_figures_over_a_number_say_where_they_were_measured() -> None:
    text = page({"weight": made("weight", CURVES)})
    assert "| ours, 1,000 replicas | 12 |  | 1 | at most 20: reached |" in text
    missed = over_replicas("ours", {1000: 21.0})
    assert "- **Missed:** share, ours, 1,000 replicas: 21 %" in page({"weight": made("weight", missed)})


def test_figures_over_a_number_are_drawn_as_one_line_for_each_contender_below_a_dashed_bar() -> None:
    drawn = ElementTree.fromstring(plots({"weight": made("weight", CURVES)})["weight-1.svg"])
    paths = [node for node in drawn.iter() if node.tag.endswith("path")]
    lines = [node.attrib["d"] for node in paths if node.attrib.get("fill") == "none"]
    assert [line.count("L") + 1 for line in lines] == [3, 2]
    steps = [float(place.partition(" ")[0]) for place in lines[0].removeprefix("M").split("L")]
    assert steps[1] - steps[0] == pytest.approx(steps[2] - steps[1])
    assert sum("stroke-dasharray" in node.attrib for node in paths) == 1
    texts = {node.text for node in drawn.iter() if node.text}
    assert {"10", "100", "1,000", "replicas", "ours: 12", "a peer: 40"} <= texts


def test_a_curve_of_one_measured_place_is_not_drawn() -> None:
    rows = [
        *over_replicas("ours", {10: 1.0}),
        Row.of("share", "ours", "%", [], at=100, axis="replicas", note="no room"),
    ]
    assert plots({"weight": made("weight", rows)}) == {}
    assert "| ours, 100 replicas | not measured: no room |" in page({"weight": made("weight", rows)})


def test_names_with_marks_of_markdown_and_of_xml_are_shown_as_they_are() -> None:
    rows = [Row.of("a|b", "<ours> & more", "us", [1.0]), Row.of("a|b", "peer", "us", [2.0])]
    assert "| &lt;ours&gt; &amp; more | 1 |" in page({"weight": made("weight", rows)})
    ElementTree.fromstring(plots({"weight": made("weight", rows)})["weight-1.svg"])


def test_every_plot_of_the_page_is_written_and_older_ones_are_removed(tmp_path: Path) -> None:
    write({"guarded_call": made("guarded_call", CALLS)}, tmp_path)
    write({"weight": made("weight", CALLS)}, tmp_path)
    linked = re.findall(r"\]\((images/[^)]+)\)", (tmp_path / "benchmarks.md").read_text())
    assert linked == ["images/benchmarks/weight-1.svg"]
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.svg")] == linked


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    result = made("guarded_call", [*CALLS, *CURVES])
    result.write(tmp_path)
    assert results(["guarded_call", "weight"], tmp_path) == {"guarded_call": result}
    assert isinstance(result, Result)


@pytest.mark.parametrize(
    ("figure", "text"), [(0.5234, "0.523"), (1234.6, "1,235"), (12, "12"), (3_000.0, "3,000"), (0.00001234, "0.000012")]
)
def test_figures_have_three_digits(figure: float, text: str) -> None:
    assert shown(figure) == text
