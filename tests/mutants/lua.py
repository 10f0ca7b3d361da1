"""Mutation-tests the ledger's Lua: `python -m tests.mutants.lua [PART ...]`, a part such as `record` or `prelude/law`.

Each mutant (`changes.py`) meets the tests below in a process of its own, until the first one fails. Those that no test
notices are printed with their line; `docs/testing.md` says of each why it is harmless. With DEPTH=10 in the environment
each meets ten times as many random histories. The time that Redis tells (`prelude/clock`) is replaced in most of these
tests, so its own mutants meet those with a real clock.
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
"""A mutant that takes longer hangs, and counts as noticed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints each survivor and the figures; the exit code is 0 whatever survives."""
    asked = argparse.ArgumentParser(prog="python -m tests.mutants.lua", description="Mutation-tests the ledger's Lua.")
    asked.add_argument("parts", nargs="*", metavar="PART", help=f"all by default: {', '.join(PARTS)}")
    asked.add_argument("--workers", type=int, default=2, help="mutants at a time (default: 2)")
    asked.add_argument("--again", type=Path, metavar="FILE", help="only what FILE names: what an earlier run printed")
    options = asked.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        asked.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if not _all_notice_nothing():
        _say("The tests fail with the Lua as it is: mend them first.")
        return 1
    chosen = [(part, mutant) for part in options.parts or PARTS for mutant in mutants_of(scripts.lua(part))]
    if options.again:
        named = {_without_line(line) for line in options.again.read_text().splitlines()}
        chosen = [one for one in chosen if _without_line(_named(*one)) in named]
    survivors = 0
    for part, mutant, noticed in _tried(chosen, options.workers):
        if not noticed:
            survivors += 1
            _say(_named(part, mutant))
    _say(f"{len(chosen)} mutants, {len(chosen) - survivors} killed, {survivors} survivors")
    return 0


def _named(part: str, mutant: Mutant) -> str:
    return f"{part}.lua:{mutant.line}: {mutant.change}"


def _without_line(named: str) -> str:
    """Lines move as the Lua is edited; the change is still the same."""
    where, _, change = named.partition(": ")
    return f"{where.partition(':')[0]}: {change}"


def _all_notice_nothing() -> bool:
    return _ended(_started("", ""), LIMIT_S) is False


def _tried(chosen: list[tuple[str, Mutant]], workers: int) -> Iterator[tuple[str, Mutant, bool]]:
    waiting, running = list(reversed(chosen)), dict[int, tuple[str, Mutant, float]]()
    while waiting or running:
        while waiting and len(running) < workers:
            part, mutant = waiting.pop()
            running[_started(part, mutant.text)] = (part, mutant, time.monotonic())
        for pid, (part, mutant, since) in list(running.items()):
            noticed = _ended(pid, since + LIMIT_S - time.monotonic(), wait=False)
            if noticed is not None:
                del running[pid]
                yield part, mutant, noticed
        signal.sigtimedwait([signal.SIGCHLD], 0.2)


def _started(part: str, text: str) -> int:
    """A process that runs the tests with `text` in the part's place; its group is its own, servers included."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    original = scripts.lua
    scripts.lua = lambda name: text if name == part else original(name)
    os.environ["HYPOTHESIS_PROFILE"] = (
        "mutants"  # a mutant that is noticed needs no smallest example (`tests/depth.py`)
    )
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    tests = [str(LEDGER / name) for name in TESTS if (LEDGER / name).exists()]
    # One real server is enough: that all kinds of Redis agree is another test's business.
    options = ["-q", "-x", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    code = pytest.main([*options, "-k", "not (fakeredis or RESP3 or 6.2)", *tests])
    os._exit(int(code))


def _ended(pid: int, left_s: float, *, wait: bool = True) -> bool | None:
    """Whether the tests noticed the mutant; None where they are still at it."""
    until = time.monotonic() + left_s
    while True:
        gone, status = os.waitpid(pid, os.WNOHANG)
        if gone or time.monotonic() >= until:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            if not gone:
                os.waitpid(pid, 0)
            return not gone or os.waitstatus_to_exitcode(status) != 0
        if not wait:
            return None
        signal.sigtimedwait([signal.SIGCHLD], 0.2)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    sys.exit(main())
