"""The examples that run by themselves: what they print is what they promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ha_rag import CircuitRegistry

FOLDER = Path(__file__).parents[2] / "examples"


def printed(name: str, *words: str) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / name), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    return ran.stdout.splitlines()


def test_a_guarded_call_fails_three_times_and_is_then_not_tried() -> None:
    lines = printed("guard_one_call.py")
    assert lines[:3] == [f"order {n}: the payment service is down" for n in (1, 2, 3)]
    assert all("not even tried; worth another look in" in line for line in lines[3:])
    assert len(lines) == 5


async def test_its_circuit_is_shared_where_a_redis_is_named(any_redis_url: str) -> None:
    printed("guard_one_call.py", any_redis_url)
    async with CircuitRegistry.connect(any_redis_url, namespace="shop", replica="test") as circuits:
        circuits.breaker("payments")
        (payments,) = await circuits.circuits()
    assert (payments.name, payments.state) == ("payments", "open")


def test_components_of_ones_own_answer() -> None:
    answer, served = printed("own_components.py")
    assert answer == "In short: The coffee machine wants descaling every first Monday of a month [1]."
    assert served == "served by secondary; degraded: generator"


@pytest.mark.parametrize("over", ["its own", "a given one"])
def test_what_one_process_learns_protects_the_second(over: str, fake_redis_server: str) -> None:
    lines = printed("two_processes.py", *([fake_redis_server] if over == "a given one" else []))
    assert [line.partition(":")[0] for line in lines] == ["first", "first", "first", "second"]
    assert lines[3].startswith("second: refused at once, without a call; again in")


def test_langchains_parts_are_tiers_and_ours_are_parts_of_a_chain() -> None:
    assert printed("langchain_components.py") == [
        "the chat model is well: By a probe, after its recovery timeout [1]. (served by primary)",
        "  as a retriever in a chain: 2 documents",
        "  as a runnable: degraded stages ()",
        "the chat model is down: In short: A circuit recovers by itself: after its recovery timeout one call is let "
        "through as a probe [1]. (served by secondary)",
        "  as a retriever in a chain: 2 documents",
        "  as a runnable: degraded stages ('generator',)",
    ]


def test_every_example_is_run_by_a_test() -> None:
    tests = [*Path(__file__).parent.glob("*.py"), FOLDER.parent / "tests" / "test_teaching_names.py"]
    text = "".join(path.read_text(encoding="utf-8") for path in tests)
    assert [path.name for path in FOLDER.glob("*.py") if path.stem not in text] == []
