"""A fleet of a thousand: what one Redis bears, and how long a trip takes to the last replica.

    python -m benchmarks.large_fleet [--sizes 10 100 1000 3000] [--seconds 20] [--trips 10] [--circuits 10]

Simulated replicas (`fleet_members`) in a few processes share one redis-server. Each has `--circuits` circuits, which
it calls `--calls-per-s` times a second each, and the intervals of a real replica. Once the fleet is settled, Redis's
sums are read before and after `--seconds`. Then one more circuit is tripped: four replicas fail a call, and when Redis
has counted that, a fifth fails one, which decides. The time is from then until the last replica has refused a call.
After the fleet has left, as many bare subscribers in the same processes receive the same message as often.

The processes need far more processor time than Redis. Where they are saturated, the row says so: the time of a trip is
then theirs. From 500 replicas on, each looks at its circuits once a second instead of ten times. That is work inside a
replica, which sends nothing by itself; heartbeats, polls and reports keep their intervals.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.fleet_members import CHANNEL, LOOK_S, NAMESPACE, POLICY, TRIPPED
from benchmarks.large_fleet_rows import Measured, rows, show
from benchmarks.large_fleet_worker import Load, work
from benchmarks.own_redis import own_redis
from benchmarks.redis_usage import Server, usage
from benchmarks.report.rows import publish
from ha_rag.ledger.store.keys import PARTS, Keys

MANY, MANY_LOOK_S = 500, 1.0
"""From so many replicas on, each looks at its circuits once in so many seconds: two cores do not hold more."""

IN_STEP = 0.9
"""Share of the replicas that must be in step with Redis at the end of a window. With fewer, Redis was not used as the
fleet would use it, and nothing is told of it."""

READY_S = 60.0
KEYS = Keys(NAMESPACE)
REPORTED = KEYS.circuit(TRIPPED)[PARTS.index("batches")]
"""The key that has an entry for each replica that reported on the circuit since its last change."""


class Crew:
    """The processes that hold the members. A request goes to all of them at once."""

    def __init__(self, url: str, processes: int) -> None:
        fresh = multiprocessing.get_context("spawn")
        pairs = [fresh.Pipe() for _ in range(processes)]
        self._pipes: list[Connection] = [ours for ours, _ in pairs]
        self._processes = [fresh.Process(target=work, args=(url, theirs), daemon=True) for _, theirs in pairs]
        for process in self._processes:
            process.start()
        for _, theirs in pairs:
            theirs.close()

    @property
    def size(self) -> int:
        return len(self._pipes)

    def ask(self, method: str, *arguments: Any) -> list[Any]:
        """What each process replies."""
        self.begin(method, *arguments)
        return self.replies()

    def begin(self, method: str, *arguments: Any) -> None:
        for pipe in self._pipes:
            pipe.send((method, arguments))

    def replies(self) -> list[Any]:
        return [pipe.recv() for pipe in self._pipes]

    def ask_each(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """As `ask`, with other arguments for each."""
        for pipe, its in zip(self._pipes, arguments, strict=True):
            pipe.send((method, its))
        return self.replies()

    def ask_first(self, method: str, *arguments: Any) -> Any:
        """What the first process replies."""
        self._pipes[0].send((method, arguments))
        return self._pipes[0].recv()

    def end(self) -> None:
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.send(None)
        for process in self._processes:
            process.join(10)
            if process.is_alive():
                process.kill()


# ---- one size -------------------------------------------------------------------------------------------------------


def measure(replicas: int, given: argparse.Namespace) -> Measured:
    """Everything about a fleet of this size, on a Redis of its own."""
    found = Measured(replicas)
    with own_redis() as url:
        server = Server(url)
        server.client.config_set("maxclients", most_clients())
        crew = Crew(url, min(given.processes, replicas))
        try:
            fill(crew, replicas, given)
            steady(found, server, crew, given)
            trips(found, server, crew, given)
            crew.ask("leave")
            bare(found, server, crew, given)
        except (EOFError, NotReadyError) as error:
            found.failed = str(error) or "a process of the replicas ended"
        finally:
            crew.end()
    return found


class NotReadyError(Exception):
    """What a measurement waits for did not happen. The text says what."""


def most_clients() -> int:
    """As many clients as Redis may have open files, without those that it keeps for itself."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100


def fill(crew: Crew, replicas: int, given: argparse.Namespace) -> None:
    """The replicas join, shared out among the processes."""
    names = [f"replica-{number}" for number in range(replicas)]
    look_s = LOOK_S if replicas < MANY else MANY_LOOK_S
    shares = [(names[first :: crew.size], given.circuits, given.calls_per_s, look_s) for first in range(crew.size)]
    crew.ask_each("join", shares)


def steady(found: Measured, server: Server, crew: Crew, given: argparse.Namespace) -> None:
    """What Redis uses once the fleet has settled."""
    time.sleep(settle_s(found.replicas, given.circuits))
    wait_until_ready(found, crew)
    crew.ask("begin")
    before, busy, began_s = server.now(), machine_busy_s(), time.monotonic()
    time.sleep(given.seconds)
    used = usage(before, server.now())
    found.machine_cpu = (machine_busy_s() - busy) / (time.monotonic() - began_s)
    found.loads = [Load(**load) for load in crew.ask("end")]
    if found.in_step < IN_STEP * found.replicas:
        raise NotReadyError(f"only {found.in_step} replicas kept in step; {found.harness}")
    found.usage = used


def wait_until_ready(found: Measured, crew: Crew) -> None:
    """Every replica is in step with Redis, and its circuits are closed."""
    wait_until(lambda: sum(crew.ask("expect")) == found.replicas, "not all replicas were in step with Redis")


def settle_s(replicas: int, circuits: int) -> float:
    """Longer than it takes until every replica knows how large the fleet is, and reports at the pace of that."""
    return 5.0 + max(4 * replicas / 500, 1.5 * replicas * circuits / 1000)


def machine_busy_s() -> float:
    """Seconds of processor time that this machine has spent on anything, all cores together (/proc/stat)."""
    first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    user, nice, system, _, _, irq, soft, *_ = map(int, first.split()[1:])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def trips(found: Measured, server: Server, crew: Crew, given: argparse.Namespace) -> None:
    """Trips, each decided by other replicas of the first process."""
    numbers = itertools.cycle(range(-(-found.replicas // crew.size)))
    changes = server.client.pubsub()
    changes.subscribe(KEYS.changes)
    for _ in range(given.trips):
        wait_until_ready(found, crew)
        crew.ask_first("fail", [next(numbers) for _ in range(POLICY.min_samples)])
        wait_until(lambda: server.client.hlen(REPORTED) == POLICY.min_samples - 1, "failures did not reach Redis")
        messages(changes)
        redis_before_s = server.cpu_s()
        decided_s = crew.ask_first("decide")
        told_s = [at_s for its in crew.ask("told") for at_s in its]
        found.ours_redis_ms.append(1000 * (server.cpu_s() - redis_before_s))
        found.ours.append([1000 * (at_s - decided_s) for at_s in told_s])
        found.never += found.replicas - len(told_s)
        found.message = messages(changes)[0]
        crew.ask_first("close_circuit")
    changes.close()


def messages(changes: Any) -> list[str]:
    """The messages that have arrived."""
    arrived = iter(lambda: changes.get_message(timeout=0.05), None)
    return [each["data"] for each in arrived if each["type"] == "message"]


def bare(found: Measured, server: Server, crew: Crew, given: argparse.Namespace) -> None:
    """The message of a trip to bare subscribers in the same processes."""
    crew.ask_each("subscribe", [(len(range(first, found.replicas, crew.size)),) for first in range(crew.size)])
    for _ in range(given.trips):
        crew.ask("expect")
        redis_before_s, begun_s = server.cpu_s(), time.monotonic()
        server.client.publish(CHANNEL, found.message)
        told_s = [at_s for its in crew.ask("told") for at_s in its]
        found.bare_redis_ms.append(1000 * (server.cpu_s() - redis_before_s))
        found.bare.append([1000 * (at_s - begun_s) for at_s in told_s])
    crew.ask("leave")


def wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    """Raises NotReadyError with the text `otherwise` after `READY_S`."""
    ends_s = time.monotonic() + READY_S
    while not holds():
        if time.monotonic() > ends_s:
            raise NotReadyError(f"{otherwise} within {READY_S:g} s")
        time.sleep(0.05)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000, 3000])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--trips", type=int, default=10)
    parser.add_argument("--circuits", type=int, default=10)
    parser.add_argument("--calls-per-s", type=float, default=0.2, help="calls of each circuit in each replica")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    all_found = []
    for size in given.sizes:
        all_found.append(measure(size, given))
        show(all_found[-1])
        publish(rows(all_found))
    print("target at 1,000 replicas: Redis below 20 % of a core, the last replica within 250 ms (p99)")


if __name__ == "__main__":
    main()
