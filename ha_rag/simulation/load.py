"""`python -m ha_rag.simulation.load`: a load generator that prints its results as JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import signal
from collections.abc import AsyncIterator, Sequence

from ha_rag.errors import ConfigurationError
from ha_rag.simulation.load_stats import LoadStats
from ha_rag.simulation.questions import LoadProfile, ask_closed, ask_open

DEFAULT_FOR_S = 30.0


def main(arguments: Sequence[str] | None = None, *, api_key: str | None = None) -> None:
    """Parses the command line, asks questions and prints the results. `api_key`: sent with each question."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_ask_until_signal(given, api_key))
    except ConfigurationError as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Asks a running fleet questions and counts the answers.")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="a fleet or a replica")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument("--per-s", type=float, help="questions per second, independent of the answers (default: 10)")
    rate.add_argument("--askers", type=int, help="concurrent askers; each asks again as soon as it is answered")
    parser.add_argument(
        "--for", dest="for_s", type=float, metavar="SECONDS", help="default: 30; with --every, until it is stopped"
    )
    parser.add_argument(
        "--every", type=float, metavar="SECONDS", help="print a result for each interval of this length"
    )
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="per question (default: 30)")
    return parser


async def _ask_until_signal(given: argparse.Namespace, api_key: str | None) -> None:
    """Asks until the time is up or a signal arrives. A signal discards the current interval."""
    asking = asyncio.ensure_future(_ask(given, api_key))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asking.cancel)
    await asyncio.gather(asking, return_exceptions=True)
    if not asking.cancelled():
        asking.result()


async def _ask(given: argparse.Namespace, api_key: str | None) -> None:
    async for for_s in _intervals(given.for_s, given.every):
        profile = LoadProfile(url=given.url, for_s=for_s, timeout_s=given.timeout, api_key=api_key)
        stats = await (ask_closed(profile, given.askers) if given.askers else ask_open(profile, given.per_s or 10.0))
        _print(stats)


async def _intervals(for_s: float | None, every_s: float | None) -> AsyncIterator[float]:
    """The lengths of the intervals, in seconds."""
    if every_s is not None and every_s <= 0:
        raise ConfigurationError(f"--every {every_s:g}: must be above 0")
    left_s = for_s if for_s is not None else math.inf if every_s else DEFAULT_FOR_S
    while left_s > 0:
        interval_s = min(left_s, every_s or left_s)
        yield interval_s
        left_s -= interval_s


def _print(stats: LoadStats) -> None:
    print(json.dumps(stats.as_json()), flush=True)


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


if __name__ == "__main__":
    main()
