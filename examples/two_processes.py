"""Two processes share one circuit: failures in the first protect the second, which has not called the service.

python examples/two_processes.py                             # with a temporary stand-in for Redis
python examples/two_processes.py redis://localhost:6379/0    # with your Redis
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from threading import Thread

from fakeredis import TcpFakeServer

from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry, CircuitState, ServiceError

POLICY = CircuitPolicy(min_samples=3, failure_threshold=0.5, recovery_timeout_s=30.0)


async def search() -> None:
    """A stand-in for a call to a service that is down."""
    raise ServiceError("search is down")


async def first(url: str) -> None:
    """Fails three times. Exiting the registry reports what has not been reported yet."""
    async with CircuitRegistry.connect(url, namespace="two", replica="first") as circuits:
        breaker = circuits.breaker("search", POLICY)
        for call in (1, 2, 3):
            try:
                await breaker.call(search)
            except ServiceError as error:
                print(f"first:  call {call}: {error}; circuit: {breaker.state}", flush=True)


async def second(url: str) -> None:
    """Is refused although it has not called the service yet."""
    async with CircuitRegistry.connect(url, namespace="two", replica="second") as circuits:
        breaker = circuits.breaker("search", POLICY)
        async with asyncio.timeout(10):
            while breaker.state is CircuitState.CLOSED:  # it receives the state within milliseconds
                await asyncio.sleep(0.01)
        try:
            await breaker.call(search)
        except CircuitOpenError as refused:
            print(f"second: refused at once, without a call; retry in {refused.retry_after_s:.0f} s", flush=True)


def stand_in() -> str:
    """The URL of a Redis stand-in in Python that lives as long as this process."""
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    return f"redis://127.0.0.1:{server.server_address[1]}/0"


def main() -> None:
    """Runs this script as two processes."""
    match sys.argv[1:]:
        case ["--first", url]:
            asyncio.run(first(url))
        case ["--second", url]:
            asyncio.run(second(url))
        case given:
            url = given[0] if given else stand_in()
            for role in ("--first", "--second"):
                subprocess.run([sys.executable, __file__, role, url], check=True)


if __name__ == "__main__":
    main()
