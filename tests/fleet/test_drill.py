"""`ha-rag drill --fast` as users run it: every stage of a real fleet, and every question answered."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ha_rag.drill.configuration import GENERATOR_TIMEOUT_S
from ha_rag.drill.stages import STAGES
from tests.fleet.processes import HA_RAG

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(240)]


def test_a_fast_drill_answers_every_question_and_notices_hanging_calls_before_they_time_out(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = subprocess.run(
        [*HA_RAG, "drill", "--fast", "--json", "--html", str(page)],
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["passed"]
    assert [stage["name"] for stage in report["stages"]] == [stage.name for stage in STAGES]
    assert all(stage["asked"] == stage["answered"] > 0 for stage in report["stages"])
    measured: dict[str, dict[str, Any]] = {stage["name"]: stage for stage in report["stages"]}
    for stage in (stage for stage in STAGES if stage.steady):
        assert measured[stage.name]["wasted"] > 0
        assert stage.title in page.read_text(encoding="utf-8")
    # Nothing has failed by then, and no slow answer has come: what is noticed are calls in flight.
    assert measured["steady-hanging"]["opened_s"] < GENERATOR_TIMEOUT_S
    assert measured["brownout"]["opened_s"] < 2.0
    # Users wait for what was sent to the service before, and a dead one lets nobody wait.
    assert measured["steady-dead"]["waited_s"] < measured["steady-hanging"]["waited_s"]


def test_an_unknown_stage_is_refused_before_anything_is_started() -> None:
    done = subprocess.run([*HA_RAG, "drill", "--stage", "x"], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "there is no stage 'x'" in done.stderr
