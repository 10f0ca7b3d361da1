"""No change makes a guarded call or a search more than a tenth dearer without saying so.

A whole question is counted by the benchmark alone: beside a whole test suite it took a fifth more
than alone.
"""

from __future__ import annotations

import os
import shutil

import pytest

from benchmarks.instructions import PYTHON, SLIP, cannot_count, kept, ratios
from benchmarks.valgrind_requests import Callgrind, unsupported
from tests.redis_servers import redis_binary


@pytest.fixture(scope="module")
def counted() -> dict[str, float]:
    if why := cannot_count():
        if os.environ.get("CI") and not unsupported():
            pytest.fail(why)
        pytest.skip(why)
    if redis_binary() is None:
        pytest.skip("redis-server is not installed")
    if not kept():
        pytest.skip(f"no ratios are kept for Python {PYTHON} (python -m benchmarks.instructions --write)")
    return ratios()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("subject", ["guarded", "search"])
def test_it_takes_at_most_a_tenth_more_instructions_than_kept(counted: dict[str, float], subject: str) -> None:
    before = kept()[subject]
    assert counted[subject] <= SLIP * before, (
        f"{counted[subject] / before - 1:+.0%} instructions: find out why, or keep the new ratio with "
        "python -m benchmarks.instructions --write and say in the commit what it is worth"
    )


@pytest.mark.skipif(bool(unsupported()), reason=unsupported() or "supported")
def test_without_valgrind_its_requests_do_nothing() -> None:
    assert not Callgrind().there


def test_a_missing_valgrind_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert cannot_count() == "valgrind is not installed (Debian: apt-get install valgrind)"
