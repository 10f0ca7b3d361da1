"""`python -m ha_rag.simulation`: the simulated provider as a process of its own."""

from __future__ import annotations

import argparse
import logging

from ha_rag.simulation.provider import run_provider


def main() -> None:
    """Parses the command line and runs the provider until it is stopped."""
    parser = argparse.ArgumentParser(description="A simulated OpenAI-compatible provider that fails on command.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to every successful response")
    parser.add_argument(
        "--seed", type=int, default=0, help="determines which calls a fault with a rate below 1 affects"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name with dots by which it is called; addresses and names without a dot always are (repeatable)",
    )
    given = parser.parse_args()
    if given.latency_ms < 0:
        parser.error("--latency-ms must be at least 0")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run_provider(given.host, given.port, latency_ms=given.latency_ms, seed=given.seed, hosts=given.allow_host)


if __name__ == "__main__":
    main()
