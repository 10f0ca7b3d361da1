"""A model inside the process: what a question costs, and how late the event loop is meanwhile.

    python -m benchmarks.embedding_inside [--seconds 10]

For each load the lag is measured beside the same process at rest, in alternating slices of a second: what else the
machine does falls on both. Lag: how much later than asked a timer of 1 ms fires, in ms, at the percentiles named. Of
it, "not for a core": without the time for which the loop's thread could have run and no core was free (Linux only).
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np

from ha_rag.assembly.replica import loop_factory
from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.components.embedders.onnx import OnnxEmbedder
from ha_rag.components.rerankers.onnx import OnnxReranker
from ha_rag.messages import Passage
from ha_rag.threads import computing, size_this_process

QUESTION = "How does a circuit breaker recover after the service behind it has failed {} times?"
PASSAGE = "After its rest the circuit breaker of service {0} lets one probe pass, and closes again if it succeeds. " * 5
EVERY_S = 0.001
SCHEDULED = Path("/proc/thread-self/schedstat")
Lags = list[tuple[float, float]]
Load = Callable[[int], Awaitable[object]]


async def cost_ms(load: Load, count: int = 100) -> tuple[float, float]:
    """Milliseconds of processor, and of time, for each of `count` calls, one after another."""
    used, started = time.process_time(), time.perf_counter()
    for n in range(count):
        await load(n)
    return 1000 * (time.process_time() - used) / count, 1000 * (time.perf_counter() - started) / count


def waited_for_a_core_ms() -> float:
    """How long this thread has waited for a core since it began, where the system tells."""
    return int(SCHEDULED.read_text().split()[1]) / 1e6 if SCHEDULED.exists() else 0.0


async def lags_ms(seconds: float) -> Lags:
    """How late a timer fires, again and again, and the part of it for which the thread did not wait for a core."""
    lags: Lags = []
    until = time.perf_counter() + seconds
    while (asked := time.perf_counter()) < until:
        waited = waited_for_a_core_ms()
        await asyncio.sleep(EVERY_S)
        lag = 1000 * (time.perf_counter() - asked - EVERY_S)
        lags.append((lag, max(0.0, lag - (waited_for_a_core_ms() - waited))))
    return lags


async def under(load: Load, at_once: int, seconds: float) -> tuple[Lags, Lags]:
    """Lags at rest, and while `at_once` calls are always in progress."""
    resting: Lags = []
    busy: Lags = []
    for _ in range(max(1, round(seconds))):
        resting += await lags_ms(1.0)
        callers = [asyncio.create_task(_again(load)) for _ in range(at_once)]
        busy += await lags_ms(1.0)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
    return resting, busy


async def _again(load: Load) -> None:
    n = 0
    while True:
        await load(n)
        n += 1


def _print_cost(name: str, processor_ms: float, time_ms: float) -> None:
    print(f"  {name:22} {processor_ms:8.2f} {time_ms:8.2f}")


def _shown(lags: Lags) -> str:
    whole, own = np.percentile(lags, [50, 99, 100], axis=0).T
    return (
        f"p50 {whole[0]:6.2f}  p99 {whole[1]:6.2f}  most {whole[2]:6.2f}   "
        f"not for a core: p99 {own[1]:6.2f}  most {own[2]:6.2f}"
    )


async def measure(seconds: float) -> None:
    """Prints both tables."""
    size_this_process(asyncio.get_running_loop())
    local, onnx, cross_encoder = LocalEmbedder(), OnnxEmbedder(), OnnxReranker()
    passages = [Passage("d", f"d#{n}", PASSAGE.format(n)) for n in range(cross_encoder.candidates)]
    questions: dict[str, Load] = {
        "a question, local": lambda n: local.embed(QUESTION.format(n)),
        "a question, onnx": lambda n: onnx.embed(QUESTION.format(n)),
        "a passage, onnx": lambda n: onnx.embed_many([PASSAGE.format(n)]),
    }
    print("each, in ms:              processor    time")
    for name, load in questions.items():
        _print_cost(name, *await cost_ms(load))
    reranking = await cost_ms(lambda n: cross_encoder.rerank(QUESTION.format(n), passages), 10)
    _print_cost(f"a reranking of {len(passages)}", *reranking)
    loads: dict[str, tuple[Load, int]] = {
        "one question at a time": (questions["a question, onnx"], 1),
        "a question for each core": (questions["a question, onnx"], computing.size),
        "an ingest": (lambda n: onnx.embed_many([PASSAGE.format(k) for k in range(n, n + 64)]), 1),
    }
    print(f"\nlag of the event loop, in ms, {computing.size} cores:")
    for name, (load, at_once) in loads.items():
        resting, busy = await under(load, at_once, seconds)
        print(f"  {name}\n    at rest    {_shown(resting)}\n    meanwhile  {_shown(busy)}")


def main() -> None:
    """Reads the arguments and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each load, and as much at rest")
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(measure(parser.parse_args().seconds))


if __name__ == "__main__":
    main()
