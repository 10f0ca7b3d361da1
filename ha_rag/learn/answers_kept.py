"""The scenario about last good answers: what was answered before is answered again when every service is out."""

from __future__ import annotations

from ha_rag.learn.lesson import OTHER_QUESTION, Scenario, Step

EMBEDDERS = ("embedder.primary", "embedder.secondary")
GENERATOR, FALLBACK = "generator.primary", "generator.fallback"

LAST_GOOD_ANSWER = Scenario(
    name="last-good-answer",
    title="Every service is out, and the question was asked before",
    about="With `[cache]`, replicas keep good answers for one another in Redis (here in memory). Once every generator "
    "that is a service is out, a question that was answered before gets its last good answer, and is told how old that "
    "is. Nobody who asks something else gets it, and a change of the documents ends it.",
    caches=True,
    steps=(
        Step(say="Nothing fails. The answer is good: nothing is degraded, so it is kept."),
        Step(
            say="An hour later both embedders and the primary generator go down. The same question is asked.",
            wait_s=3600.0,
            fails=(*EMBEDDERS, GENERATOR),
            predict=FALLBACK,
            why="It is well, but nobody called it: the primary generator's answer of an hour ago is better than one "
            "sentence of a passage. It is degraded all the same, and says its age.",
        ),
        Step(
            say="A question that was never asked before.",
            question=OTHER_QUESTION,
            predict=GENERATOR,
            why="Two of two calls in the window failed, but two calls are not enough. There is no earlier answer, so "
            "the fallback generator quotes a sentence.",
        ),
        Step(
            say="The first question once more.",
            predict=GENERATOR,
            why="The third of three calls failed. With the circuit open the cache is asked at once, and a probe still "
            "finds out when the service is back.",
        ),
    ),
)
