"""The harness around the peers counts what happened, and a peer that is not there is told as not measured."""

from __future__ import annotations

import asyncio
import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import recovery, wasted_calls
from benchmarks.peers.envoy import configuration
from benchmarks.peers.fleet import EndedError, Member, cannot_run
from benchmarks.peers.guards import FAILURES, RefusedError, Site
from benchmarks.peers.litellm_python import LITELLM, litellm_version
from benchmarks.peers.replica import Replica
from tests.house.code import ROOT

SITE = Site(service="http://127.0.0.1:9000", redis_url="redis://127.0.0.1:1/0", open_s=5.0, timeout_s=1.0)


class Scripted:
    """Calls that end as they are told: passed, failed or refused; after the last, as that one did."""

    def __init__(self, *ends: str) -> None:
        self._ends = list(ends)
        self.made = 0

    async def __call__(self) -> None:
        end = self._ends[min(self.made, len(self._ends) - 1)]
        self.made += 1
        if end == "refused":
            raise RefusedError
        if end == "failed":
            raise ConnectionError("down")


async def test_what_the_service_does_not_answer_goes_to_the_fallback_and_is_lost_if_that_fails_too() -> None:
    replica = Replica(Scripted("passed", "failed", "refused", "failed"), Scripted("passed", "passed", "failed"))
    answers = await replica.load(rate=1_000, begin_s=0.0, seconds=0.004)
    assert [by for _, _, by, _ in answers] == ["service", "fallback", "fallback", "lost"]


async def test_a_trip_counts_the_calls_before_the_first_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.peers.replica.EVERY_S", 0.0)
    assert await Replica(Scripted("failed", "failed", "refused"), Scripted("passed")).trip(at_most=9) == 2
    assert await Replica(Scripted("failed"), Scripted("passed")).trip(at_most=9) is None


async def test_a_recovery_is_five_calls_in_a_row_and_never_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.peers.replica.EVERY_S", 0.0)
    call = Scripted("passed", "refused", "passed")
    assert await Replica(call, Scripted("passed")).recover(at_most_s=5) is not None
    assert call.made == 2 + 5
    assert await Replica(Scripted("refused"), Scripted("passed")).recover(at_most_s=0.01) is None


async def test_a_replica_that_ends_is_told_with_its_last_words() -> None:
    errors = io.BytesIO()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "raise SystemExit(3)", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    errors.write(b"Traceback\nModuleNotFoundError: No module named 'redis'\n")
    with pytest.raises(EndedError, match="ended with status 3: ModuleNotFoundError: No module named 'redis'"):
        await Member(process, errors).reply()


async def test_an_outage_is_judged_by_what_service_and_replicas_wrote_down() -> None:
    async def calls() -> list[tuple[float, float | None]]:
        return [(5.0, 5.1), (10.5, None), (11.0, 11.0), (21.0, 21.1)]

    there: Any = SimpleNamespace(calls=calls)
    one = [[5.0, 0.1, "service", 0.0], [10.5, 1.1, "fallback", 0.0], [21.0, 0.1, "service", 0.0]]
    other = [
        [6.0, 0.1, "service", 0.0], [11.0, 0.6, "fallback", 0.0], [12.0, 2.1, "lost", 0.0], [23.0, 0.1, "service", 0.0]
    ]  # fmt: skip
    found = await wasted_calls.judged(there, [one, other], from_s=10.0, to_s=20.0)
    assert isinstance(found, wasted_calls.Outcome)
    assert (found.received, found.lost, found.asked, found.back_s) == (2, 1, 7, 3.0)
    assert found.waited_s == pytest.approx(1.0 + 0.5 + 2.0)


async def test_a_replica_that_is_not_served_again_is_never_back() -> None:
    async def calls() -> list[tuple[float, float | None]]:
        return []

    there: Any = SimpleNamespace(calls=calls)
    answers = [["service", 5.0], ["service", 6.0], ["fallback", 21.0]]
    found = await wasted_calls.judged(there, [[[asked, 0.1, by, 0.0] for by, asked in answers]], 10.0, 20.0)
    assert isinstance(found, wasted_calls.Outcome)
    assert found.back_s is None
    assert "never: not before the run ended" in {row.note for row in wasted_calls.rows("dies", "ours", found)}


async def test_figures_of_a_machine_that_asks_too_late_are_none() -> None:
    late = [[n / 10, 0.1, "service", 2.5] for n in range(50)]
    found = await wasted_calls.judged(SimpleNamespace(), [late], 10.0, 20.0)  # type: ignore[arg-type]  # not asked
    assert found == "the machine could not keep up: before the outage a question in twenty was asked 2.5 s late"


def test_a_peer_that_is_not_installed_gets_rows_that_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(LITELLM, str(tmp_path / "python"))
    why = cannot_run("LiteLLM's Router")
    assert why == f"not installed (make bench, or {LITELLM})"
    assert litellm_version() == ""
    rows = wasted_calls.rows("dies", "LiteLLM's Router", why)
    assert {(row.figure, row.note) for row in rows} == {(None, why)}


async def test_pybreakers_calls_cannot_be_cancelled_and_that_is_told() -> None:
    (group,) = [group for group, (scenario, _, _) in recovery.SCENARIOS.items() if scenario is recovery.cancelled]
    row = await recovery.row("pybreaker", group, 1, 1.0)
    assert row.figure is None
    assert row.note in (recovery.UNCANCELLABLE, cannot_run("pybreaker"))


def test_envoy_gets_the_same_terms() -> None:
    (cluster,) = configuration(SITE, 1)["static_resources"]["clusters"]
    detection = cluster["outlier_detection"]
    assert (detection["consecutive_5xx"], detection["base_ejection_time"]) == (FAILURES, "5s")
    assert cluster["common_lb_config"]["healthy_panic_threshold"] == {"value": 0}


def test_litellms_environment_is_pinned_without_hosts() -> None:
    lines = (ROOT / "benchmarks/peers/litellm.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+(\[proxy\])?==[A-Za-z0-9.]+", line)] == []
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    assert {"aiohttp", "redis"} == {line.partition("==")[0] for line in pins if line in constraints}
