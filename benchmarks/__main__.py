"""Every benchmark, one after the other, and the page of their results: what `make bench` runs.

    python -m benchmarks [NAME ...] [--quick] [--missing]

Each result is kept in benchmarks/results as JSON, and docs/benchmarks.md is made from all that are there. A benchmark
that fails does not stop the others; the status is then 1.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.report.catalogue import Benchmark, benchmarks
from benchmarks.report.page import write
from benchmarks.report.result import RESULTS, results
from benchmarks.report.run import run


def chosen(given: argparse.Namespace) -> list[Benchmark]:
    """Those that are named, or all; with `--missing`, those of them without a result."""
    names = given.names or [one.name for one in benchmarks()]
    there = results(names) if given.missing else {}
    return [one for one in benchmarks() if one.name in names and one.name not in there]


def main() -> None:
    """Runs them, and writes results and page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known = [one.name for one in benchmarks()]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="short runs, with a wider spread")
    parser.add_argument("--missing", action="store_true", help="only those without a result")
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(known)):
        parser.error(f"no such benchmark: {', '.join(unknown)} (there are: {', '.join(known)})")
    failed = []
    for benchmark in chosen(given):
        print(f"== {benchmark.name}", flush=True)
        result = run(benchmark, benchmark.quick if given.quick else ())
        result.write(RESULTS)
        print(result.output + (f"\n{result.errors}\nstatus {result.status}" if result.status else ""), flush=True)
        failed += [benchmark.name] if result.status else []
        write(results(known))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
