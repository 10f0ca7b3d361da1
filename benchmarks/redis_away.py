"""A healthy service while Redis is frozen, refuses connections or answers 100 ms late: ours beside LiteLLM's Router.

    python -m benchmarks.redis_away [--rounds 3] [--seconds 6] [--rate 20]

One replica of each contender, one call after the other begun at a steady rate, Redis behind a proxy. In each round
every fault follows a healthy period, and is measured from its start. `redis_outage` measures whole questions in the
same way.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from benchmarks.own_redis import free_port, own_redis
from benchmarks.peers.fleet import EndedError, Member, cannot_run, started
from benchmarks.peers.guards import Site
from benchmarks.processes import program, ready
from benchmarks.redis_outage import Period, faults, pid_of
from benchmarks.report.rows import Row, at_most, publish
from tests.fleet.control import Remote
from tests.fleet.proxy import Wire

CONTENDERS = ("unguarded", "ours", "interlock-cb", "LiteLLM's Router")
SETTLE_S = 3.0
"""After a fault: time for connections to be made again before the next healthy period."""

Found = dict[str, tuple[Period, Period]]
"""Fault -> all healthy periods before it, and all under it."""


async def load(member: Member, rate: float, seconds: float) -> Period:
    """One period. A call that the service did not answer has failed: the service is healthy throughout."""
    answers = await member("load", rate=rate, begin_s=time.monotonic() + 0.1, seconds=seconds)
    return Period([1000 * took for _, took, *_ in answers], sum(by != "service" for _, _, by, _ in answers))


async def measure(guard: str, given: argparse.Namespace) -> Found:
    """All rounds of one contender."""
    found: Found = {}
    async with site(guard) as (member, wire, redis_pid):
        await load(member, given.rate, 2.0)
        for _ in range(given.rounds):
            for name, (begin, recover) in faults(wire, redis_pid).items():
                healthy, faulty = found.setdefault(name, (Period(), Period()))
                healthy.add(await load(member, given.rate, given.seconds))
                await begin()
                try:
                    faulty.add(await load(member, given.rate, given.seconds))
                finally:
                    await recover()
                await asyncio.sleep(SETTLE_S)
    return found


@contextlib.asynccontextmanager
async def site(guard: str) -> AsyncIterator[tuple[Member, Wire, int]]:
    """A replica, the proxy before its Redis, and Redis's process."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        redis_url = stack.enter_context(own_redis())
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(program("-m", "benchmarks.peers.service", "--port", str(port)))
        service = f"http://127.0.0.1:{port}"
        await ready(f"{service}/calls")
        socket = Path(folder) / "wire.sock"
        proxy = subprocess.Popen([sys.executable, "-m", "tests.fleet.proxy", str(socket)], stdin=subprocess.PIPE)
        stack.callback(proxy.wait, 10)
        stack.callback(proxy.kill)
        remote = await Remote.open(socket, lambda: proxy.poll() is None)
        wire = Wire(remote, await remote("route", to=int(redis_url.rpartition(":")[2].partition("/")[0])))
        place = Site(service=service, redis_url=f"redis://127.0.0.1:{wire.port}/0", open_s=5.0, timeout_s=10.0)
        try:
            async with started(guard, place, service, 1) as members:
                yield members[0], wire, pid_of(redis_url)
        finally:
            await remote.aclose()


def rows(guard: str, found: Found | str) -> list[Row]:
    """The p99 of each situation, and the calls that failed."""
    if isinstance(found, str):
        return [Row.absent("p99 of a call, Redis frozen", guard, "ms", found)]
    bar = at_most(0) if guard == "ours" else None
    its = []
    for name, (healthy, faulty) in found.items():
        of = f"of {len(faulty.took_ms)}"
        before = f"{healthy.percentile(0.99):.1f} ms with Redis healthy just before"
        its += [
            Row.of(f"p99 of a call, Redis {name}", guard, "ms", [faulty.percentile(0.99)], note=before),
            Row.of(f"calls failed, Redis {name}", guard, "calls", [faulty.failed], bar=bar, note=of),
        ]
    return its


def shown(guard: str, found: Found | str) -> str:
    """Lines of the printed table."""
    if isinstance(found, str):
        return f"{guard:24}not measured: {found}"
    return "\n".join(
        f"{guard:24}{name:>14}{faulty.percentile(0.5):10.1f}{faulty.percentile(0.99):10.1f}"
        f"{healthy.percentile(0.99):14.1f}{faulty.failed:8} of {len(faulty.took_ms)}"
        for name, (healthy, faulty) in found.items()
    )


async def compare(guards: Sequence[str], given: argparse.Namespace) -> list[Row]:
    """One contender after the other."""
    print(f"{'':24}{'Redis':>14}{'p50 ms':>10}{'p99 ms':>10}{'healthy p99':>14}{'failed':>8}")
    its: list[Row] = []
    for guard in guards:
        found: Found | str = cannot_run(guard)
        if not found:
            try:
                found = await measure(guard, given)
            except EndedError as error:
                found = str(error)
        print(shown(guard, found), flush=True)
        its += rows(guard, found)
    return sorted(its, key=lambda row: row.group)


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=6.0)
    arguments.add_argument("--rate", type=float, default=20.0, help="calls a second")
    arguments.add_argument("--only", nargs="+", choices=CONTENDERS, default=CONTENDERS, metavar="CONTENDER")
    given = arguments.parse_args()
    publish(asyncio.run(compare(given.only, given)))


if __name__ == "__main__":
    main()
