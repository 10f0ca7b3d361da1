"""A benchmark that runs, fails or takes too long leaves a result that says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.report.catalogue import Benchmark, benchmarks
from benchmarks.report.page import DOCS, PLOTS, page, plots
from benchmarks.report.result import results
from benchmarks.report.rows import ROWS_FILE, Row, at_most, publish
from benchmarks.report.run import ENDED_LATE, run
from tests.house.code import ROOT

NAMES = [one.name for one in benchmarks()]


def test_a_benchmark_that_fails_is_kept_with_its_status_and_the_end_of_its_errors() -> None:
    result = run(Benchmark("guarded_call", "made up"), ["--no-such-option"])
    assert result.status == 2
    assert "unrecognized arguments: --no-such-option" in result.errors
    assert result.command == "python -m benchmarks.guarded_call --no-such-option"
    assert str(ROOT) not in result.errors


def test_a_benchmark_that_prints_is_kept_with_what_it_printed() -> None:
    result = run(Benchmark("guarded_call", "made up"), ["--help"])
    assert (result.status, result.rows, result.errors) == (0, (), "")
    assert "--rounds" in result.output


def test_a_benchmark_that_takes_too_long_is_ended() -> None:
    result = run(Benchmark("guarded_call", "made up", at_most_s=0.2), ["--rounds", "100000"])
    assert result.status == ENDED_LATE
    assert "ended after 0.2 s" in result.errors


def test_rows_are_handed_to_the_run_that_asked_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [Row.of("one call", "ours", "us", [1.0, 2.0], bar=at_most(3)), Row.absent("one call", "peer", "us", "gone")]
    monkeypatch.setenv(ROWS_FILE, str(tmp_path / "rows.json"))
    publish(rows)
    assert [Row.from_json(row) for row in json.loads((tmp_path / "rows.json").read_text())] == rows


def test_nothing_is_written_when_a_benchmark_is_run_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ROWS_FILE, raising=False)
    monkeypatch.chdir(tmp_path)
    publish([Row.of("one call", "ours", "us", [1.0])])
    assert list(tmp_path.iterdir()) == []


def test_every_benchmark_with_a_command_line_is_in_the_catalogue() -> None:
    files = (ROOT / "benchmarks").glob("*.py")
    with_a_command = {
        file.stem for file in files if f"    python -m benchmarks.{file.stem}" in file.read_text(encoding="utf-8")
    }
    assert with_a_command == set(NAMES)
    assert len(NAMES) == len(set(NAMES))


def test_the_page_and_its_plots_are_what_the_kept_results_make() -> None:
    found = results(NAMES)
    assert (DOCS / "benchmarks.md").read_text(encoding="utf-8") == page(found), "python -m benchmarks.report.page"
    drawn = plots(found)
    assert {file.name: file.read_text(encoding="utf-8") for file in (DOCS / PLOTS).glob("*.svg")} == drawn
