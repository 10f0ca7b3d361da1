"""`python -m ha_rag.simulation.load`: a steady stream of questions, and what became of them as JSON."""

from __future__ import annotations

import argparse
import asyncio
import json

from ha_rag.errors import ConfigurationError
from ha_rag.simulation.questions import Stream, ask_closed, ask_open


def main() -> None:
    """Reads the command line, asks, prints."""
    parser = argparse.ArgumentParser(description="Asks a running fleet questions, and counts what becomes of them.")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="a fleet or a replica")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--per-s", type=float, help="questions a second, whatever the answers do (default: 10)")
    pace.add_argument("--askers", type=int, help="so many at a time, each as fast as it is answered")
    parser.add_argument("--for", dest="for_s", type=float, default=30.0, metavar="SECONDS", help="default: 30")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="of one question (default: 30)")
    given = parser.parse_args()
    try:
        stream = Stream(url=given.url, for_s=given.for_s, timeout_s=given.timeout)
        asking = ask_closed(stream, given.askers) if given.askers else ask_open(stream, given.per_s or 10.0)
        print(json.dumps(_loop().run(asking).as_json()))
    except ConfigurationError as error:
        parser.error(str(error))


def _loop() -> asyncio.Runner:
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


if __name__ == "__main__":
    main()
