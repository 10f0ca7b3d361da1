"""How long calls took, and whether they waited for anything but their service."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

PROBE_WAIT_MS = 50.0
"""How long a call may wait for its probe while the circuit is half-open."""

SLACK_MS = 20.0
"""What a timer, or a page that has to be read, may add to a wait."""

LATE_MS = 90.0
"""A question that takes so much longer has waited for Redis, which takes the 100 ms that it is slow at least."""

SAME_MS = 40.0
"""Less than the 50 ms that a question takes longer where each of them waits for a probe."""


MACHINE = Path("/proc/stat")
STOLEN = 7
"""Which of the figures of its first line (proc(5)): ticks that the host gave to other machines."""


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def waits_ms(records: Iterable[dict[str, Any]]) -> list[float]:
    """How long each of a crew's calls waited for its circuit, and not for the service."""
    return [1000 * record["waited_s"] for record in records]


def waited(records: Iterable[dict[str, Any]], allowed_ms: float = 0.0) -> list[dict[str, Any]]:
    """Those of a crew's calls that waited for their circuit for longer than they may.

    `allowed_ms`: for a call that may be the probe. One that met an open circuit and was refused never waits; one that
    met it half-open may, even if the circuit was open when the wait ended: another call's probe failed meanwhile.
    """
    return [
        record
        for record in records
        if 1000 * record["waited_s"] > SLACK_MS + (0.0 if _met_a_rest(record) else allowed_ms)
    ]


def _met_a_rest(record: dict[str, Any]) -> bool:
    """Whether the circuit was open from the call's begin to its refusal."""
    return (record["met"], record["outcome"], record.get("state")) == ("open", "refused", "open")


@contextlib.contextmanager
def timed(into: list[float], *pids: int) -> Iterator[None]:
    """Notes how many ms it takes, less those in which these processes ran, or stood in line for a processor, and those
    that the machine's host took from it: what is left they waited with nothing to do."""
    before, began_s = busy_ns(pids), time.monotonic()
    yield
    took_ms = 1000 * (time.monotonic() - began_s)
    not_idle_ns = sum(ns - before.get(source, 0) for source, ns in busy_ns(pids).items())
    into.append(max(0.0, took_ms - not_idle_ns / 1e6))


def busy_ns(pids: Iterable[int]) -> dict[Path, int]:
    """How long each of their threads has run or stood in line so far, and how long the machine itself stood still for
    others on its host. Nothing where the kernel does not tell."""
    told = {}
    for thread in (thread for pid in pids for thread in Path(f"/proc/{pid}/task").glob("*/schedstat")):
        with contextlib.suppress(OSError):  # it has just ended
            ran_ns, stood_in_line_ns, _ = thread.read_text().split()
            told[thread] = int(ran_ns) + int(stood_in_line_ns)
    with contextlib.suppress(OSError):
        _, *ticks = MACHINE.read_text().partition("\n")[0].split()
        told[MACHINE] = int(ticks[STOLEN]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return told


def late_ms(took_ms: Iterable[float], well_ms: Sequence[float]) -> list[float]:
    """Those questions that took so long that they waited for Redis. `well_ms`: others, from when all was well."""
    return [ms for ms in took_ms if ms >= median(well_ms) + LATE_MS]


def assert_as_fast(took_ms: Sequence[float], well_ms: Sequence[float], answers: Sequence[dict[str, Any]]) -> None:
    """Most questions took what they took when all was well, and no more than then took so long that they waited.

    Not a percentile: the 99th of some hundred passes over one question of each replica, and a replica that waits until
    it knows that Redis is away makes just that one wait. `answers`: to each of those that took `took_ms`.
    """
    late, well_late = late_ms(took_ms, well_ms), late_ms(well_ms, well_ms)
    figures = {
        "median ms": median(took_ms), "well": median(well_ms), "max ms": max(took_ms), "late ms": late,
        "late when well": well_late, "questions": (len(took_ms), len(well_ms)),
        "late answers": [
            (number, answer["replica"], answer["ms"], answer["attempts"], answer["shared_state"])
            for number, (ms, answer) in enumerate(zip(took_ms, answers, strict=True)) if ms in late
        ],
    }  # fmt: skip
    print(figures)
    assert median(took_ms) < median(well_ms) + SAME_MS, figures
    assert len(late) <= len(well_late), figures
