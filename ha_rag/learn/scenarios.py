"""The twelve scenarios of the walk, from a day without failures to a last good answer."""

from __future__ import annotations

from ha_rag.learn.answers_kept import LAST_GOOD_ANSWER
from ha_rag.learn.lab import POLICY
from ha_rag.learn.lesson import OTHER_QUESTION, Scenario, Step
from ha_rag.strategy.quality import QualityTable

EMBEDDER, SECONDARY, CACHED = "embedder.primary", "embedder.secondary", "embedder.cached"
RETRIEVER, REDUCED = "retriever.primary", "retriever.reduced"
GENERATOR, FALLBACK = "generator.primary", "generator.fallback"
RESTED_S = POLICY.recovery_timeout_s * 1.2
"""Longer than the first recovery timeout, including its jitter."""

OPENED = (
    Step(say="The primary embedder goes down. The first failure.", fails=(EMBEDDER,)),
    Step(say="The second failure."),
    Step(say="The third failure: three of three calls failed, and the circuit opens."),
)

MEASURED = QualityTable(
    "ndcg@10",
    {
        ("primary", "primary"): 0.438,
        ("secondary", "primary"): 0.345,
        ("cached", "primary"): 0.438,
        ("zero", "primary"): 0.387,
    },
    measured_on="Cranfield",
)
"""The embedders `onnx` and `hashing` (at half weight), by `python -m benchmarks.quality_choice`."""

SCENARIOS = (
    Scenario(
        name="normal",
        title="Nothing fails",
        about="A question is embedded, passages are retrieved, an answer is generated. Each stage has several tiers, "
        "and the first one that works serves.",
        steps=(
            Step(
                say="Nothing fails.",
                predict=EMBEDDER,
                why="A closed circuit lets every call through, as a closed electric circuit lets current flow.",
            ),
        ),
    ),
    Scenario(
        name="embedders",
        title="The embedders fail, one after the other",
        about="After the primary embedder come a secondary one, a cache of earlier embeddings, and as a last resort "
        "the zero vector, which cannot fail but carries no meaning.",
        steps=(
            Step(say="Nothing fails. The question's embedding is kept in the cache."),
            Step(
                say="The primary embedder goes down.",
                fails=(EMBEDDER,),
                predict=EMBEDDER,
                why="Only two calls were made, and it takes min_samples = 3 to open a circuit.",
            ),
            Step(
                say="The secondary embedder goes down, too. The same question again: its embedding is in the cache.",
                fails=(SECONDARY,),
                predict=EMBEDDER,
                why="Two of three calls failed: 67 % is above the threshold of 50 %, and three calls are enough.",
            ),
            Step(
                say="A question that was never asked before. Does a miss of the cache count as a failure?",
                question=OTHER_QUESTION,
                predict=CACHED,
                why="It does not: the cache works, it just does not hold this embedding. The zero vector takes over, "
                "and because nothing is similar to it, the search is by words.",
            ),
        ),
    ),
    Scenario(
        name="retrieval",
        title="Retrieval is reduced, then gone",
        about="The reduced retriever returns at most two passages: the answer is worse, but it is an answer.",
        steps=(
            Step(
                say="The primary retriever goes down.",
                fails=(RETRIEVER,),
                predict=RETRIEVER,
                why="One call is not enough: it takes three.",
            ),
            Step(
                say="The reduced retriever goes down, too. Without passages the generator has no context, and says so.",
                fails=(REDUCED,),
                predict=REDUCED,
                why="It was called only twice, too.",
            ),
        ),
    ),
    Scenario(
        name="generation",
        title="The fallback generator, with and without context",
        about="The fallback generator quotes one sentence of the passages. Without passages it can only say that it "
        "has found nothing; even that is an answer, not an error.",
        steps=(
            Step(say="The primary generator goes down.", fails=(GENERATOR,)),
            Step(
                say="Both retrievers go down, too: no context.",
                fails=(RETRIEVER, REDUCED),
                predict=GENERATOR,
                why="Two of two calls failed, but two calls are not enough.",
            ),
            Step(
                say="The fallback generator goes down, too. The last resort is a fixed sentence and needs no service.",
                fails=(FALLBACK,),
                predict=GENERATOR,
                why="The third of three calls failed: now there are enough.",
            ),
        ),
    ),
    Scenario(
        name="opening",
        title="Enough failures, and not before",
        about="A single failure may be chance. A circuit opens when at least min_samples calls were made within its "
        "window and at least failure_threshold of them failed: here 3 calls and 50 %.",
        steps=(
            Step(say="A call that succeeds."),
            Step(
                say="The primary embedder goes down. The first failure: one of two calls.",
                fails=(EMBEDDER,),
                predict=EMBEDDER,
                why="50 % failed, but of only two calls.",
            ),
            Step(
                say="The second failure: two of three calls.",
                predict=EMBEDDER,
                why="67 % of three calls failed: both conditions are met.",
            ),
            Step(
                say="One more question. Will embedder.primary be called? Its calls are in the table.",
                predict=EMBEDDER,
                why="An open circuit refuses calls at once: the service can recover, and users do not wait for it.",
            ),
        ),
    ),
    Scenario(
        name="recovery-timeout",
        title="The recovery timeout and half-open",
        about="A circuit stays open for its recovery timeout: 10 s here, and up to a tenth longer, so that circuits do "
        "not all send probes at once. In a fleet it is the expiry of a key in Redis, so clocks need not agree.",
        steps=(
            *OPENED,
            Step(
                say="5 s later.",
                wait_s=5.0,
                predict=EMBEDDER,
                why="The recovery timeout is not over. Whether the service works again makes no difference.",
            ),
            Step(
                say="12 s after it opened. The service works again, and one call is let through to test it: a probe. "
                "It succeeds, but two must.",
                wait_s=RESTED_S - 5.0,
                repaired=(EMBEDDER,),
                predict=EMBEDDER,
                why="After the recovery timeout the circuit is half-open. It takes probe_successes = 2 to close it.",
            ),
        ),
    ),
    Scenario(
        name="failed-probe",
        title="A probe fails",
        about="What if the service is still down after the recovery timeout?",
        steps=(
            *OPENED,
            Step(
                say="12 s later a probe is let through. The service is still down.",
                wait_s=RESTED_S,
                predict=EMBEDDER,
                why="One failed probe opens it again, for twice as long as before (recovery_backoff = 2).",
            ),
            Step(
                say="Another 12 s later, the service works again.",
                wait_s=RESTED_S,
                repaired=(EMBEDDER,),
                predict=EMBEDDER,
                why="The second recovery timeout is 20 s, and only 12 s have passed.",
            ),
        ),
    ),
    Scenario(
        name="recovery",
        title="Recovery",
        about="Two successful probes close the circuit. Its window starts empty: earlier failures no longer count.",
        steps=(
            *OPENED,
            Step(
                say="12 s later the service works again. The first probe succeeds.",
                wait_s=RESTED_S,
                repaired=(EMBEDDER,),
                predict=EMBEDDER,
                why="It takes two.",
            ),
            Step(
                say="The second probe succeeds.",
                predict=EMBEDDER,
                why="That was the second of two: the circuit closes.",
            ),
            Step(
                say="It fails once more.",
                fails=(EMBEDDER,),
                predict=EMBEDDER,
                why="Calls before the recovery no longer count: this is one failure of one call.",
            ),
        ),
    ),
    Scenario(
        name="several",
        title="Several failures at once",
        about="Each component has its own circuit: one that is open says nothing about the others.",
        steps=(
            Step(
                say="The primary embedder, the primary retriever and the primary generator go down together.",
                fails=(EMBEDDER, RETRIEVER, GENERATOR),
            ),
            Step(say="The second failure of each."),
            Step(
                say="The third failure of each.",
                predict=GENERATOR,
                why="Three of three calls failed, as with the other two: three circuits are open.",
            ),
            Step(
                say="12 s later the generator works again, the other two do not.",
                wait_s=RESTED_S,
                repaired=(GENERATOR,),
                predict=RETRIEVER,
                why="Each sends its own probe. The retriever's fails and opens its circuit again; the generator's "
                "succeeds, and its circuit stays half-open until a second one does.",
            ),
        ),
    ),
    Scenario(
        name="two-replicas",
        title="A second replica learns from the first",
        about="Two replicas call the same embedder and share its circuit: usually through Redis, here through memory, "
        "with the same rules.",
        replicas=2,
        steps=(
            Step(say="The embedder goes down. Replica 1 is asked: the first failure.", fails=(EMBEDDER,)),
            Step(say="Replica 1 is asked: the second failure."),
            Step(
                say="Replica 1 is asked: the third failure. What is the state at replica 2, which has not been asked "
                "anything yet?",
                at=2,
                predict=EMBEDDER,
                why="The fleet shares the circuit. Replica 2 knows without a single failure of its own.",
            ),
            Step(
                say="Now replica 2 is asked. Look at its calls of embedder.primary.",
                replica=2,
                predict=EMBEDDER,
                why="It refuses at once: no call was sent. With a breaker of its own, it would have to fail three "
                "times first, and so would each further replica.",
            ),
        ),
    ),
    Scenario(
        name="quality",
        title="The next tier in the list is not the best one",
        about="Here `ha-rag evaluate` has measured what each embedder finds (nDCG@10, on Cranfield): the primary one "
        "0.438, the secondary one 0.345, and search by words alone, without any embedder, 0.387. So the figures choose "
        "the best of what is up, and not the list. The cache holds vectors of the primary embedder.",
        quality=MEASURED,
        steps=(
            Step(say="Nothing fails: the best embedder is also the first in the list."),
            Step(
                say="The primary embedder goes down, and another question is asked.",
                question=OTHER_QUESTION,
                fails=(EMBEDDER,),
                predict=SECONDARY,
                why="It is well, but nobody called it: search by words finds more. In list order it would have "
                "answered.",
            ),
            Step(
                say="The first question is asked again.",
                predict=EMBEDDER,
                why="Two of three calls failed. The vector came from the cache, which is as good as the embedder that "
                "filled it: the figures put it before search by words.",
            ),
        ),
    ),
    LAST_GOOD_ANSWER,
)
