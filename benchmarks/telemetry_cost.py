"""The cost of telemetry: CPU time per question for its log line and its spans, in one run.

    python -m benchmarks.telemetry_cost

One replica inside this process, all components local, no socket: the question itself is as cheap as possible, so the
relative overhead is at its highest. Rounds are interleaved; the medians are printed. The collector is a separate
process and is not counted; the thread that sends spans is.
"""

from __future__ import annotations

import asyncio
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.report.rows import Row, publish
from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.replica import build_replica
from ha_rag.telemetry.logs import JsonLines
from tests.http.app_client import AppClient

ROUNDS, QUESTIONS = 9, 300
QUESTION = {"question": "How does a circuit recover?"}
ENDPOINT, SAMPLER, SHARE = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"

COLLECTOR = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Collector(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
print(server.server_port, flush=True)
server.serve_forever()
"""


async def cost_us(client: AppClient) -> float:
    """CPU time of this process per question, in microseconds."""
    began_s = time.process_time()
    for _ in range(QUESTIONS):
        await client.call("POST", "/v1/query", QUESTION)
    return (time.process_time() - began_s) / QUESTIONS * 1e6


async def measure(collector: str) -> Mapping[str, list[float]]:
    """Kind of telemetry -> CPU times per question, one for each round."""
    settings = load_settings(None, variables={"HA_RAG_REPLICA": "rag-1"})
    async with AsyncExitStack() as stack:
        clients = {}
        for name, variables in {
            "plain": {},
            "every trace": {ENDPOINT: collector},
            "one trace in a hundred": {ENDPOINT: collector, SAMPLER: "parentbased_traceidratio", SHARE: "0.01"},
        }.items():
            os.environ.update(variables)
            clients[name] = AppClient((await stack.enter_async_context(build_replica(settings).running())).app)
        took: dict[str, list[float]] = {"nothing": [], "a line in the log": []}
        took |= {f"a line and {name}": [] for name in list(clients)[1:]}
        for _ in range(ROUNDS):
            logging.disable(logging.CRITICAL)
            took["nothing"].append(await cost_us(clients["plain"]))
            logging.disable(logging.NOTSET)
            took["a line in the log"].append(await cost_us(clients["plain"]))
            for name in list(clients)[1:]:
                took[f"a line and {name}"].append(await cost_us(clients[name]))
    return took


def main() -> None:
    """Measures and prints a table."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Path(os.devnull).open("w", encoding="utf-8") as devnull,
        subprocess.Popen([sys.executable, "-c", COLLECTOR], stdout=subprocess.PIPE, text=True) as collector,
    ):
        os.chdir(Path(folder))
        handler = logging.StreamHandler(devnull)
        handler.setFormatter(JsonLines())
        logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
        port = collector.stdout.readline().strip() if collector.stdout else ""
        try:
            took = asyncio.run(measure(f"http://127.0.0.1:{port}"))
        finally:
            collector.kill()
            os.chdir("/")
    publish(
        [Row.of("processor time of one local question", f"ours, {name}", "us", costs) for name, costs in took.items()]
    )
    baseline = statistics.median(took["nothing"])
    for name, costs in took.items():
        cost = statistics.median(costs)
        print(f"{name:<36} {cost:7.0f} us of CPU per question  (+{cost - baseline:.0f})")


if __name__ == "__main__":
    main()
