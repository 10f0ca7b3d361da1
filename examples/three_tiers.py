"""One service fails: the next tier answers, the circuit opens, the service recovers, the circuit closes.

    python examples/three_tiers.py

No setup: the documents are below, the components fail as scripted, and the circuit is local to this process.
"""

from __future__ import annotations

import asyncio

from ha_rag import (
    Answer,
    CachedEmbedder,
    CircuitPolicy,
    FallbackGenerator,
    FallbackStrategy,
    HighAvailabilityRAG,
    PrimaryEmbedder,
    PrimaryGenerator,
    PrimaryRetriever,
    ReducedRetriever,
    Script,
    SecondaryEmbedder,
    Tier,
)

DOCUMENTS = {
    "opening.md": "A circuit opens when its window has enough calls and at least half of them have failed.",
    "recovery.md": "A circuit recovers by itself: after its recovery timeout one call is let through as a probe. "
    "When the probes succeed, the circuit closes.",
    "fallback.md": "While a circuit is open, the next tier answers, and the answer says that it is degraded.",
}
QUESTION = "How does a circuit recover?"
POLICY = CircuitPolicy(min_samples=3, failure_threshold=0.5, recovery_timeout_s=2.0, probe_successes=2)


def build() -> HighAvailabilityRAG:
    """Three chains of tiers; the first embedder fails its first three calls and then recovers."""
    failing = PrimaryEmbedder(script=Script.failing(first=3))
    return HighAvailabilityRAG(
        FallbackStrategy(
            embedders=[Tier("primary", failing, policy=POLICY), SecondaryEmbedder(), CachedEmbedder()],
            retrievers=[PrimaryRetriever(DOCUMENTS), ReducedRetriever(DOCUMENTS)],
            generators=[PrimaryGenerator(), FallbackGenerator()],
        )
    )


async def ask(rag: HighAvailabilityRAG, remark: str) -> None:
    """Asks, and prints which tier answered and the circuit's state."""
    answer = await rag.query(QUESTION)
    state = rag.get_system_health()["embedder.primary"].state
    served = answer.served_by["embedder"]
    print(f"{remark:<37} embedder: {served:<9}  {first_attempt(answer):<8}  circuit: {state}")


def first_attempt(answer: Answer) -> str:
    """The outcome of the first embedder: ok, failed, or rejected by its circuit."""
    return str(next(attempt.outcome for attempt in answer.attempts if attempt.circuit == "embedder.primary"))


async def until_half_open(rag: HighAvailabilityRAG) -> None:
    """Waits while the circuit is open."""
    while rag.get_system_health()["embedder.primary"].state == "open":
        await asyncio.sleep(0.05)


async def main() -> None:
    """Runs the scenario step by step."""
    async with build() as rag:
        print("The first embedder is down. Every question is still answered:")
        for n in (1, 2, 3):
            await ask(rag, f"  question {n}: it is called, and fails")
        print("Three of three calls failed, so the circuit is open and the service is not called:")
        for n in (4, 5):
            await ask(rag, f"  question {n}: it is not called")
        await until_half_open(rag)
        print(
            f"It has recovered. After {POLICY.recovery_timeout_s:g} s the circuit is half-open and lets probes through:"
        )
        for n in (6, 7):
            await ask(rag, f"  question {n}: a probe")
        print("Two probes succeeded, so the circuit is closed:")
        await ask(rag, "  question 8: normal operation")
        print(f"\n{QUESTION}\n{await rag.query(QUESTION)}")


if __name__ == "__main__":
    asyncio.run(main())
