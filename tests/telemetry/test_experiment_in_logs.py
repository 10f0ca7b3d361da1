"""The log and the spans of an answer name its arm, and not who asked."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from ha_rag.messages import AssignedArm
from ha_rag.telemetry.logs import JsonLines, log_event
from tests.telemetry.test_metrics import answered

ARM = AssignedArm("trial", "large", True, as_assigned=False, unit=123_456_789)


def test_the_line_of_an_answer_names_the_arm_and_not_who_asked(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_event(answered(experiment=ARM))
        log_event(replace(answered(), experiment=None))
    with_arm, without = caplog.records
    assert with_arm.getMessage().endswith("; trial: arm large")
    assert "trial" not in without.getMessage()
    line = JsonLines().format(with_arm)
    assert json.loads(line)["event"]["experiment"] == {"name": "trial", "arm": "large", "as_assigned": False}
    assert json.loads(JsonLines().format(without))["event"]["experiment"] is None
    assert "123456789" not in line + repr(ARM)
