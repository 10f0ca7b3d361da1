"""What a process holds, seen from outside, and whether that grew during a soak."""

from __future__ import annotations

import asyncio
import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SAMPLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Figures:
    """`memory`: resident, in bytes. `open`: what the process's descriptors lead to, counted. `threads`: how many.

    `tasks`: of asyncio, as a replica's metrics tell them; None: not asked.
    """

    memory: int
    open: Counter[str]
    threads: int
    tasks: int | None = None

    @classmethod
    def of(cls, pid: int, tasks: int | None = None) -> Figures:
        process = psutil.Process(pid)
        return cls(process.memory_info().rss, _open(process), process.num_threads(), tasks)

    @property
    def descriptors(self) -> int:
        return self.open.total()


def _open(process: psutil.Process) -> Counter[str]:
    """Files by their name, connections by the port of the other end (of a listener: 0)."""
    ends = {one.fd: f"socket to {next(iter(one.raddr[1:]), 0)}" for one in process.net_connections()}
    found: Counter[str] = Counter()
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            name = link.readlink().name
            found[ends.get(int(link.name), re.sub(r"\d+\]$", "]", name))] += 1
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much more a process may hold after a soak. `memory`: bytes."""

    memory: int
    descriptors: int
    threads: int
    tasks: int


@dataclass(eq=False)
class Watched:
    """Processes by their name, looked at once a second while `keep` runs."""

    pids: Mapping[str, int]
    seen: dict[str, list[Figures]] = field(default_factory=dict)

    def now(self, tasks: Mapping[str, int]) -> dict[str, Figures]:
        return {name: Figures.of(pid, tasks.get(name)) for name, pid in self.pids.items()}

    async def keep(self, enough: asyncio.Event) -> None:
        while not enough.is_set():
            for name, figures in self.now({}).items():
                self.seen.setdefault(name, []).append(figures)
            await asyncio.sleep(SAMPLE_S)

    def table(self, before: Mapping[str, Figures], after: Mapping[str, Figures]) -> str:
        """When all was quiet before and after, and the most meanwhile; of memory also how its usual amount changed."""
        rows = [f"{'':10}{'memory, MiB':>36}{'descriptors':>21}{'threads':>21}{'tasks':>14}"]
        three = f"{'before':>7}{'most':>7}{'after':>7}"
        rows.append(f"{'':10}{'before':>9}{'most':>9}{'after':>9}{'rose':>9}{three}{three}{'before':>7}{'after':>7}")
        for name in self.pids:
            first, last, seen = before[name], after[name], self.seen[name]
            memory = (first.memory, max(one.memory for one in seen), last.memory, rise([one.memory for one in seen]))
            rows.append(
                f"{name:10}{''.join(f'{one / 2**20:9.1f}' for one in memory)}"
                f"{first.descriptors:7}{max(one.descriptors for one in seen):7}{last.descriptors:7}"
                f"{first.threads:7}{max(one.threads for one in seen):7}{last.threads:7}"
                f"{shown(first.tasks)}{shown(last.tasks)}"
            )
        return "\n".join(rows)


def shown(tasks: int | None) -> str:
    return f"{'-' if tasks is None else tasks:>7}"


def rise(memory: Sequence[int]) -> int:
    """By how much its median is higher in the last third than in the first: what comes and goes does not show."""
    third = len(memory) // 3
    return round(statistics.median(memory[-third:]) - statistics.median(memory[:third])) if third else 0


def grown(
    before: Mapping[str, Figures],
    seen: Mapping[str, Sequence[Figures]],
    after: Mapping[str, Figures],
    allowed: Allowance,
) -> list[str]:
    """What any process holds more of than it may. `before`, `after`: when all was quiet; `seen`: in between."""
    found = []
    for name, held in after.items():
        was, rose = before[name], rise([one.memory for one in seen[name]])
        if held.descriptors > was.descriptors + allowed.descriptors:
            found.append(f"{name}: {was.descriptors} descriptors, then {held.descriptors}: {held.open - was.open}")
        if held.threads > was.threads + allowed.threads:
            found.append(f"{name}: {was.threads} threads, then {held.threads}")
        if (held.tasks or 0) > (was.tasks or 0) + allowed.tasks:
            found.append(f"{name}: {was.tasks} tasks, then {held.tasks}")
        if held.memory > was.memory + allowed.memory:
            found.append(f"{name}: {was.memory / 2**20:.1f} MiB, then {held.memory / 2**20:.1f} MiB")
        if rose > allowed.memory:
            found.append(f"{name}: usually {rose / 2**20:.1f} MiB more in the last third than in the first")
    return found
