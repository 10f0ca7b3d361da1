"""The counts in a circuit's report."""

from __future__ import annotations

from tests.breaker.one_breaker import OneBreaker


def test_a_local_circuit_counts_successes_before_anything_failed() -> None:
    one = OneBreaker()
    for _ in range(6):
        one.permit().ok()
    (report,) = one.registry.snapshot()
    assert (report.samples, report.failure_rate) == (6, 0.0)
    one.permit().failed()
    one.permit().ok()
    (report,) = one.registry.snapshot()
    assert (report.samples, report.failure_rate) == (8, 0.125)
