"""The stand-alone examples print what they promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ha_rag import CircuitRegistry
from tests.waiting import PATIENCE_S

FOLDER = Path(__file__).parents[2] / "examples"


def printed(name: str, *words: str) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / name), *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    return ran.stdout.splitlines()


def test_a_guarded_call_fails_three_times_and_is_then_refused() -> None:
    lines = printed("guard_one_call.py")
    assert lines[:3] == [f"order {n}: the payment service is down" for n in (1, 2, 3)]
    assert all("not tried; retry in" in line for line in lines[3:])
    assert len(lines) == 5


async def test_its_circuit_is_shared_if_a_redis_url_is_given(any_redis_url: str) -> None:
    printed("guard_one_call.py", any_redis_url)
    async with CircuitRegistry.connect(any_redis_url, namespace="shop", replica="test") as circuits:
        circuits.breaker("payments")
        (payments,) = await circuits.circuits()
    assert (payments.name, payments.state) == ("payments", "open")


def test_custom_components_answer() -> None:
    answer, served = printed("own_components.py")
    assert answer == "In short: The coffee machine wants descaling every first Monday of a month [1]."
    assert served == "served by secondary; degraded: generator"


@pytest.mark.parametrize("over", ["its own Redis", "a given Redis"])
def test_what_one_process_learns_protects_the_second(over: str, fake_redis_server: str) -> None:
    lines = printed("two_processes.py", *([fake_redis_server] if over == "a given Redis" else []))
    assert [line.partition(":")[0] for line in lines] == ["first", "first", "first", "second"]
    assert lines[3].startswith("second: refused at once, without a call; retry in")


def test_langchain_components_work_as_tiers_and_the_pipeline_works_in_a_chain() -> None:
    assert printed("langchain_components.py") == [
        "the chat model is up: By a probe, after its recovery timeout [1]. (served by primary)",
        "  as a retriever in a chain: 2 documents",
        "  as a runnable: degraded stages ()",
        "the chat model is down: In short: A circuit recovers by itself: after its recovery timeout one call is let "
        "through as a probe [1]. (served by secondary)",
        "  as a retriever in a chain: 2 documents",
        "  as a runnable: degraded stages ('generator',)",
    ]


def test_every_example_is_run_by_a_test() -> None:
    tests = [*Path(__file__).parent.glob("*.py"), FOLDER.parent / "tests" / "test_tutorial_names.py"]
    text = "".join(path.read_text(encoding="utf-8") for path in tests)
    assert [path.name for path in FOLDER.glob("*.py") if path.stem not in text] == []
