"""What an installation weighs: packages, megabytes and the time of an import, ours beside other libraries.

    python -m benchmarks.weight [--rounds 15] [--all]

Each contender is installed into an empty environment of its own, in the versions of constraints.txt; `--all` adds our
extras, which takes minutes. A package is whatever pip installed; megabytes are all files, with the compiled ones.

Imports run in a new process each, all contenders in turn in each round. The table shows the fastest, since another
program on the machine can only slow an import down, beside `import asyncio`, which most of them need.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report.rows import Row, publish
from tests.installed.environments import Environment, build_wheel, install, install_named

_TIMED = "import time; begin = time.perf_counter(); {statement}; print((time.perf_counter() - begin) * 1e3)"
_CIRCUIT = "from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry"
_SHARED = f"{_CIRCUIT}; CircuitRegistry.connect('redis://localhost')"


@dataclass(frozen=True)
class Contender:
    """What is installed, and what a program imports of it. `extra`: of ours; None: `packages`, from elsewhere."""

    name: str
    statement: str
    extra: str | None = None
    packages: tuple[str, ...] = ()


ASYNCIO = Contender("(import asyncio)", "import asyncio")
CONTENDERS = (
    ASYNCIO,
    Contender("ha-rag", _CIRCUIT, extra=""),
    Contender("ha-rag, with a Redis", _SHARED, extra=""),
    Contender("interlock-cb", "import interlock", packages=("interlock-cb",)),
    Contender(
        "interlock-cb, with a Redis", "import interlock.integrations.redis, redis.asyncio",
        packages=("interlock-cb", "redis"),
    ),
    Contender("purgatory", "import purgatory", packages=("purgatory",)),
    Contender("purgatory, with a Redis", "import purgatory, redis.asyncio", packages=("purgatory", "redis")),
    Contender("pybreaker", "import pybreaker", packages=("pybreaker",)),
    Contender("pybreaker, with a Redis", "import pybreaker, redis", packages=("pybreaker", "redis")),
    Contender("stamina", "import stamina", packages=("stamina",)),
)  # fmt: skip
EXTRAS = (
    Contender("ha-rag[rag]", "from ha_rag import HighAvailabilityRAG", extra="rag"),
    Contender("ha-rag[documents]", "from ha_rag import HighAvailabilityRAG", extra="documents"),
    Contender("ha-rag[cli]", "import ha_rag.cli.app", extra="cli"),
    Contender("ha-rag[server]", "import ha_rag.assembly.replica", extra="server"),
    Contender("ha-rag[all]", _CIRCUIT, extra="all"),
)


def environments(contenders: tuple[Contender, ...], folder: Path) -> dict[Contender, Environment]:
    """One environment for each set of packages."""
    wheel = build_wheel(folder)
    made: dict[tuple[str | None, tuple[str, ...]], Environment] = {}
    for number, each in enumerate(contenders):
        key = (each.extra, each.packages)
        if key not in made:
            made[key] = installed(each, folder / str(number), wheel)
    return {each: made[each.extra, each.packages] for each in contenders}


def installed(contender: Contender, place: Path, wheel: Path) -> Environment:
    """A new environment with what this contender needs."""
    if contender.extra is None:
        return install_named(place, *contender.packages)
    return install(place, wheel, *filter(None, [contender.extra]))


def import_ms(environment: Environment, statement: str) -> float:
    """Milliseconds of one import, in a new process."""
    return float(environment.runs(_TIMED.format(statement=statement)))


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--all", action="store_true", help="our extras, too")
    options = parser.parse_args()
    contenders = CONTENDERS + (EXTRAS if options.all else ())
    with tempfile.TemporaryDirectory(prefix="ha_rag-weight-") as folder:
        there = environments(contenders, Path(folder))
        rounds = [
            {each: import_ms(there[each], each.statement) for each in contenders} for _ in range(options.rounds + 1)
        ][1:]  # the first one compiles
        print(f"{'':28} {'packages':>8} {'MB':>7} {'import ms':>9}")
        rows: list[Row] = []
        for each in contenders:
            sizes = there[each].sizes()
            who = each.name.replace("ha-rag", "ours")
            rows += [
                Row.of("packages", who, "packages", [len(sizes)]),
                Row.of("size", who, "MB", [sum(sizes.values()) / 1e6]),
                Row.of("import", who, "ms", [times[each] for times in rounds]),
            ]
            fastest = min(times[each] for times in rounds)
            print(f"{each.name:28} {len(sizes):8} {sum(sizes.values()) / 1e6:7.1f} {fastest:9.1f}")
        publish(sorted(rows, key=lambda row: row.group))


if __name__ == "__main__":
    main()
