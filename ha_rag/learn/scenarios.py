"""The ten scenarios, from a day on which nothing fails to a replica that learns without having failed itself."""

from __future__ import annotations

from ha_rag.learn.lab import POLICY
from ha_rag.learn.lesson import OTHER_QUESTION, Scenario, Step

EMBEDDER, SECONDARY, CACHED = "embedder.primary", "embedder.secondary", "embedder.cached"
RETRIEVER, REDUCED = "retriever.primary", "retriever.reduced"
GENERATOR, FALLBACK = "generator.primary", "generator.fallback"
RESTED_S = POLICY.recovery_timeout_s * 1.2
"""Longer than a first rest, whatever its jitter."""

OPENED = (
    Step(say="The primary embedder goes down. The first failure.", breaks=(EMBEDDER,)),
    Step(say="The second failure."),
    Step(say="The third failure: three of three calls failed, and the circuit opens."),
)

SCENARIOS = (
    Scenario(
        name="normal",
        title="Nothing fails",
        about="A question is embedded, passages are retrieved, an answer is generated. Each stage has several tiers, "
        "and the first one that can, answers.",
        steps=(
            Step(
                say="All is well.",
                predict=EMBEDDER,
                why="A closed circuit lets every call through. As in electricity: closed is when it flows.",
            ),
        ),
    ),
    Scenario(
        name="embedders",
        title="The embedders fail, one after the other",
        about="Behind the primary embedder stand a secondary one, a cache of embeddings made before, and at last the "
        "zero vector, which cannot fail and knows nothing.",
        steps=(
            Step(say="All is well; the question's embedding is kept in the cache."),
            Step(
                say="The primary embedder goes down.",
                breaks=(EMBEDDER,),
                predict=EMBEDDER,
                why="Two calls were made, and a circuit judges nobody by fewer than min_samples = 3.",
            ),
            Step(
                say="The secondary embedder goes down, too. The same question again: its embedding is in the cache.",
                breaks=(SECONDARY,),
                predict=EMBEDDER,
                why="Three calls, two of them failed: 67 % is above the threshold of 50 %, and three are enough.",
            ),
            Step(
                say="A question that nobody asked before. What does the cache's circuit make of a miss?",
                question=OTHER_QUESTION,
                predict=CACHED,
                why="A miss is no failure: the cache works, it only has not got this one. The zero vector steps in, "
                "and since it points nowhere, the search is by words.",
            ),
        ),
    ),
    Scenario(
        name="retrieval",
        title="Retrieval is reduced, and then gone",
        about="The reduced retriever returns two passages at most: a worse answer, but an answer.",
        steps=(
            Step(
                say="The primary retriever goes down.",
                breaks=(RETRIEVER,),
                predict=RETRIEVER,
                why="One call is less than three.",
            ),
            Step(
                say="The reduced retriever goes down, too. No passages are left: the generator has no context, and "
                "says so.",
                breaks=(REDUCED,),
                predict=REDUCED,
                why="It, too, was called twice only.",
            ),
        ),
    ),
    Scenario(
        name="generation",
        title="The fallback generator, with context and without",
        about="The fallback generator quotes one sentence of what was found. Without passages it can only say that it "
        "has nothing to say; even that is an answer, and not an error page.",
        steps=(
            Step(say="The primary generator goes down.", breaks=(GENERATOR,)),
            Step(
                say="Both retrievers go down, too: no context.",
                breaks=(RETRIEVER, REDUCED),
                predict=GENERATOR,
                why="Two failures of two calls: all of them, but not enough of them.",
            ),
            Step(
                say="And the fallback generator. What is left needs no service: a plain sentence.",
                breaks=(FALLBACK,),
                predict=GENERATOR,
                why="The third failure of three calls: now there are enough.",
            ),
        ),
    ),
    Scenario(
        name="opening",
        title="Enough failures, and not before",
        about="One failure may be chance. A circuit opens when at least min_samples calls were made within its window, "
        "and at least failure_threshold of them failed: here 3, and 50 %.",
        steps=(
            Step(say="A call that succeeds."),
            Step(
                say="The primary embedder goes down. The first failure: one of two calls.",
                breaks=(EMBEDDER,),
                predict=EMBEDDER,
                why="50 % failed, but of two calls only.",
            ),
            Step(
                say="The second failure: two of three calls.",
                predict=EMBEDDER,
                why="Three calls, 67 % of them failed: enough of both.",
            ),
            Step(
                say="One more question. Look at the calls of embedder.primary: will it be asked?",
                predict=EMBEDDER,
                why="An open circuit refuses at once. The service gets a rest, and nobody waits for it.",
            ),
        ),
    ),
    Scenario(
        name="recovery-timeout",
        title="The recovery timeout, and half-open",
        about="An open circuit rests for its recovery timeout: 10 s here, and up to a tenth longer, so that circuits "
        "do not all wake up at once. In a fleet it is a key in Redis that expires: no clock has to be right.",
        steps=(
            *OPENED,
            Step(
                say="5 s later.",
                wait_s=5.0,
                predict=EMBEDDER,
                why="The rest is not over, whether or not the service is well again.",
            ),
            Step(
                say="12 s after it opened. The service is well again, and one call is let through to see: a probe. It "
                "succeeds; two must.",
                wait_s=RESTED_S - 5.0,
                mends=(EMBEDDER,),
                predict=EMBEDDER,
                why="After the rest the circuit is half-open. One good probe is less than probe_successes = 2.",
            ),
        ),
    ),
    Scenario(
        name="failed-probe",
        title="A probe fails",
        about="What if the service is still down when the rest is over?",
        steps=(
            *OPENED,
            Step(
                say="12 s later the probe is let through. The service is still down.",
                wait_s=RESTED_S,
                predict=EMBEDDER,
                why="One failed probe is proof enough: open again, and twice as long as before (recovery_backoff = 2).",
            ),
            Step(
                say="12 s later again, and the service is well by now.",
                wait_s=RESTED_S,
                mends=(EMBEDDER,),
                predict=EMBEDDER,
                why="The second rest lasts 20 s: only 12 are over.",
            ),
        ),
    ),
    Scenario(
        name="recovery",
        title="Recovery",
        about="Two good probes close the circuit, and its window begins anew: old failures are forgiven.",
        steps=(
            *OPENED,
            Step(
                say="12 s later the service is well. The first probe succeeds.",
                wait_s=RESTED_S,
                mends=(EMBEDDER,),
                predict=EMBEDDER,
                why="One of two.",
            ),
            Step(say="The second probe succeeds.", predict=EMBEDDER, why="Two of two: the circuit closes."),
            Step(
                say="It fails once more.",
                breaks=(EMBEDDER,),
                predict=EMBEDDER,
                why="What was before the recovery no longer counts: this is one failure of one call.",
            ),
        ),
    ),
    Scenario(
        name="several",
        title="Several failures at once",
        about="Each component has a circuit of its own: one that rests says nothing about the others.",
        steps=(
            Step(
                say="The primary embedder, the primary retriever and the primary generator go down together.",
                breaks=(EMBEDDER, RETRIEVER, GENERATOR),
            ),
            Step(say="Once more."),
            Step(
                say="And a third time.",
                predict=GENERATOR,
                why="Three of three calls failed, as with the other two: three circuits are open.",
            ),
            Step(
                say="12 s later the generator is well again, the other two are not.",
                wait_s=RESTED_S,
                mends=(GENERATOR,),
                predict=RETRIEVER,
                why="Each sends a probe of its own: the retriever's fails and opens its circuit again; the generator's "
                "succeeds, and its circuit stays half-open until a second one has.",
            ),
        ),
    ),
    Scenario(
        name="two-replicas",
        title="A second replica learns",
        about="Two replicas call one embedder, and share its circuit. Usually they share it through Redis; here "
        "through memory, under the same law.",
        replicas=2,
        steps=(
            Step(say="The embedder goes down. Replica 1 is asked: the first failure.", breaks=(EMBEDDER,)),
            Step(say="Replica 1 is asked: the second failure."),
            Step(
                say="Replica 1 is asked: the third failure. What will replica 2 believe, which was asked "
                "nothing so far?",
                at=2,
                predict=EMBEDDER,
                why="The circuit is the fleet's. Replica 2 knows, and it has not lost one question to find out.",
            ),
            Step(
                say="Now replica 2 is asked. Look at its calls of embedder.primary.",
                replica=2,
                predict=EMBEDDER,
                why="It refuses by itself, at once: no call was sent. With breakers of its own it would have had to "
                "fail three times, as each further replica would.",
            ),
        ),
    ),
)
