"""The benchmarks, in the order of the page: which question each answers, and how a short run of it is asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Benchmark:
    """`name`: its module. `quick`: arguments of a short run. `at_most_s`: it is ended after that, and counts as failed.

    `extra_wants`: what it needs beside `make install` and a redis-server.
    """

    name: str
    title: str
    quick: tuple[str, ...] = ()
    at_most_s: float = 900.0
    extra_wants: str = ""


CATALOGUE: dict[str, tuple[Benchmark, ...]] = {
    "Guarding a call": (
        Benchmark("guarded_call", "What a guarded call costs", ("--rounds", "5", "--calls", "5000")),
        Benchmark("redis_commands", "Redis commands for each call", ("--seconds", "2")),
        Benchmark("many_circuits", "Ten thousand circuits", ("--seconds", "5")),
        Benchmark(
            "large_fleet",
            "A thousand replicas",
            ("--sizes", "10", "100", "--seconds", "8", "--trips", "4"),
            at_most_s=1_800.0,
        ),
        Benchmark("weight", "What an installation weighs", ("--rounds", "5")),
    ),
    "Outages": (
        Benchmark("trip_latency", "From the deciding failure to a refusal elsewhere", ("--trips", "30")),
        Benchmark("detection", "How soon an outage is noticed", ("--quick",)),
        Benchmark("detection_simulation", "The opening rule beside other rules, simulated", ("--quick",)),
        Benchmark(
            "recovery", "Stampedes and stuck circuits", ("--at-most", "20", "--replicas", "4"), at_most_s=1_800.0
        ),
        Benchmark("wasted_calls", "Wasted calls and waiting", ("--outage", "10"), at_most_s=2_400.0),
        Benchmark("redis_outage", "Questions while Redis is away", ("--rounds", "2")),
        Benchmark("redis_away", "Calls while Redis is away, beside LiteLLM", ("--rounds", "1", "--seconds", "4")),
    ),
    "Questions": (
        Benchmark(
            "questions_per_second",
            "Whole questions beside a bare app and gateways",
            ("--seconds", "2", "--rounds", "1"),
            extra_wants="wrk",
        ),
        Benchmark("call_trace", "Code that one question runs"),
        Benchmark("instructions", "Instructions, as ratios", extra_wants="valgrind"),
        Benchmark("passages_by_connections", "Cost as the index grows", ("--quick",), at_most_s=5_400.0),
        Benchmark("question_cost", "Processor time beside version 0.1.0", ("--languages", "en"), extra_wants="XQuAD"),
        Benchmark("embedding_inside", "Models inside the process", ("--seconds", "3")),
        Benchmark("caches", "The last good answers", ("--questions", "50")),
        Benchmark("telemetry_cost", "What logs and traces cost"),
        Benchmark("transition_to_pixel", "From a transition to the page", ("--trips", "10"), extra_wants="chromium"),
        Benchmark("cold_start", "Start, memory and stop, beside LiteLLM's proxy", ("--rounds", "2"), at_most_s=1_800.0),
        Benchmark("hostile_bodies", "Hostile bodies", ("--rounds", "1")),
    ),
    "Documents and quality": (
        Benchmark("reading", "Reading documents", ("--sizes", "0.1")),
        Benchmark("ingest_speed", "Ingest", ("--passages", "4000"), at_most_s=1_800.0),
        Benchmark("words", "Words that are found", ("--passages", "1000")),
        Benchmark("index_choice", "Indexes that were compared", ("--rows", "1400"), extra_wants="other indexes"),
        Benchmark("answers", "Answers without a model", ("--languages", "en"), extra_wants="XQuAD"),
        Benchmark("answers_table", "Answers by language", ("--without-models",), extra_wants="XQuAD"),
        Benchmark("quality_choice", "Which plan is chosen", ("--sets", "en"), extra_wants="XQuAD, Cranfield"),
        Benchmark("shipped_quality", "The quality that is shipped", ("--questions", "50"), extra_wants="XQuAD"),
        Benchmark("generator_choice", "Which generator is chosen", ("--sets", "en"), extra_wants="XQuAD"),
        Benchmark("experiments", "Experiments, simulated", ("--experiments", "100")),
        Benchmark("crowd", "Satisfaction, by a simulated crowd", ("--questions", "20")),
    ),
}


def benchmarks() -> tuple[Benchmark, ...]:
    """All of them, in order."""
    return tuple(one for section in CATALOGUE.values() for one in section)
