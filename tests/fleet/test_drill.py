"""`ha-rag drill --fast`, as CI and people run it: all nine outages, and every question answered."""

from __future__ import annotations

import json
import subprocess

import pytest

from ha_rag.drill.stages import STAGES
from tests.fleet.processes import HA_RAG

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(240)]


def test_a_fast_drill_answers_every_question_and_ends_with_all_of_it_gone() -> None:
    done = subprocess.run(
        [*HA_RAG, "drill", "--fast", "--json"], capture_output=True, text=True, check=False, timeout=200
    )
    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert told["passed"]
    assert [stage["name"] for stage in told["stages"]] == [stage.name for stage in STAGES]
    assert all(stage["asked"] == stage["answered"] > 0 for stage in told["stages"])


def test_a_stage_that_is_none_is_refused_before_anything_is_started() -> None:
    done = subprocess.run([*HA_RAG, "drill", "--stage", "x"], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "there is no stage 'x'" in done.stderr
