"""Mutation-tests the ledger's Lua: `python -m tests.mutants.lua [PART ...]`, a part such as `record`.

The tests below run against each mutant (`changes.py`) in a separate process, until the first one fails. Survivors are
printed with their line; `docs/testing.md` explains why each is harmless. With DEPTH=10 in the environment the tests
run ten times as many random histories. Most tests replace `prelude/clock`, so only those with a real clock can kill its
mutants.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ha_rag.ledger.store import scripts
from tests.mutants.changes import Mutant, mutants_of

PARTS = [*(f"prelude/{part}" for part in scripts.PRELUDE), *scripts.VERBS]
LEDGER = Path(__file__).parent.parent / "ledger"
TESTS = [
    "test_contract.py", "test_adversarial_histories.py", "test_lua_headers.py", "test_redis_keys.py",
    "test_timeline.py", "test_redis_refuses.py", "test_time_boundaries.py", "test_counting_boundaries.py",
    "test_restoring_boundaries.py", "test_lua_matches_memory.py",
]  # fmt: skip
LIMIT_S = 90.0
"""A mutant whose tests take longer counts as killed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints each survivor and a summary. Returns 0, or 1 if the tests fail without a mutant."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.lua", description="Mutation-tests the ledger's Lua.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"all by default: {', '.join(PARTS)}")
    parser.add_argument("--workers", type=int, default=2, help="mutants at a time (default: 2)")
    parser.add_argument(
        "--again", type=Path, metavar="FILE", help="only the survivors listed in FILE, the output of an earlier run"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if not _tests_pass_unchanged():
        _print("The tests fail with the unchanged Lua: fix them first.")
        return 1
    chosen = [(part, mutant) for part in options.parts or PARTS for mutant in mutants_of(scripts.lua(part))]
    if options.again:
        named = {_without_line(line) for line in options.again.read_text().splitlines()}
        chosen = [item for item in chosen if _without_line(_label(*item)) in named]
    survivors = 0
    for part, mutant, killed in _run_mutants(chosen, options.workers):
        if not killed:
            survivors += 1
            _print(_label(part, mutant))
    _print(f"{len(chosen)} mutants, {len(chosen) - survivors} killed, {survivors} survivors")
    return 0


def _label(part: str, mutant: Mutant) -> str:
    return f"{part}.lua:{mutant.line}: {mutant.change}"


def _without_line(named: str) -> str:
    """Without the line number, which changes as the Lua is edited."""
    where, _, change = named.partition(": ")
    return f"{where.partition(':')[0]}: {change}"


def _tests_pass_unchanged() -> bool:
    return _is_killed(_start("", ""), LIMIT_S) is False


def _run_mutants(chosen: list[tuple[str, Mutant]], workers: int) -> Iterator[tuple[str, Mutant, bool]]:
    waiting, running = list(reversed(chosen)), dict[int, tuple[str, Mutant, float]]()
    while waiting or running:
        while waiting and len(running) < workers:
            part, mutant = waiting.pop()
            running[_start(part, mutant.text)] = (part, mutant, time.monotonic())
        for pid, (part, mutant, since) in list(running.items()):
            killed = _is_killed(pid, since + LIMIT_S - time.monotonic(), wait=False)
            if killed is not None:
                del running[pid]
                yield part, mutant, killed
        signal.sigtimedwait([signal.SIGCHLD], 0.2)


def _start(part: str, text: str) -> int:
    """Starts a process group that runs the tests with `text` in place of the part. Returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    original = scripts.lua
    scripts.lua = lambda name: text if name == part else original(name)
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"  # no shrinking: one failure is enough (`tests/depth.py`)
    with Path(os.devnull).open("w") as devnull:
        os.dup2(devnull.fileno(), 1)
        os.dup2(devnull.fileno(), 2)
    tests = [str(LEDGER / name) for name in TESTS if (LEDGER / name).exists()]
    # One real server is enough: other tests check that all kinds of Redis agree.
    options = ["-q", "-x", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    code = pytest.main([*options, "-k", "not (fakeredis or RESP3 or 6.2)", *tests])
    os._exit(int(code))


def _is_killed(pid: int, left_s: float, *, wait: bool = True) -> bool | None:
    """Whether the tests killed the mutant; None while they are still running."""
    until = time.monotonic() + left_s
    while True:
        ended_pid, status = os.waitpid(pid, os.WNOHANG)
        if ended_pid or time.monotonic() >= until:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            if not ended_pid:
                os.waitpid(pid, 0)
            return not ended_pid or os.waitstatus_to_exitcode(status) != 0
        if not wait:
            return None
        signal.sigtimedwait([signal.SIGCHLD], 0.2)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    sys.exit(main())
