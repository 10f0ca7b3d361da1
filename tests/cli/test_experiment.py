"""`ha-rag experiment`: what a replica or Redis tells of an experiment, and of what degrading costs."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ha_rag.ledger.store.connection import close, connect
from ha_rag.ledger.store.experiment import Batch, RedisExperimentStore, Told
from ha_rag.ledger.store.experiment_counts import ExperimentKey, Seen, Tally, latency, total
from ha_rag.ledger.store.feedback import Rating, RedisFeedbackStore
from ha_rag.telemetry.experiment_report import Compared, ComparedArm, report
from ha_rag.telemetry.sketch import bucket, middle_ms
from tests.cli.conftest import Run
from tests.cli.replica import Replica
from tests.hostile_text import HOSTILE, assert_harmless
from tests.ports import free_port
from tests.redis_servers import RedisProcess

KEY = ExperimentKey("bigger", "01234567", (1, 1))
COMPARED = Compared("bigger", [ComparedArm("small", 1), ComparedArm("large", 1, {"generator": "large"})], 5.0)
PATH = ("GET", "/v1/experiment")
ROWS = [
    {"by": "degradation", "of": "none", "up": 8, "neutral": 1, "down": 2, "share": 0.8, "low": 0.49, "high": 0.943},
    {"by": "all", "of": "", "up": 8, "neutral": 1, "down": 2, "share": 0.8, "low": 0.49, "high": 0.943},
    {"by": "tier", "of": "generator.large", "up": 0, "neutral": 1, "down": 0, "share": None, "low": 0.0, "high": 1.0},
]
COST = {"points": 0.25, "low": 0.1, "high": 0.4}


def shown_report(likes: tuple[float, float] = (0.4, 0.9), **told: Any) -> dict[str, Any]:
    """A report of 200 people in each arm, all of whom rate."""
    tally = Tally({"started": 1_700_000_000_000.0})
    for n in range(200):
        for arm, share in enumerate(likes):
            tally.rate("1:1", arm, 2 * n + arm, int((n + 1) * share) - int(n * share))
            seen = [Seen(arm, 2 * n + arm, {"answered": 1, "undegraded": 1, "in_time": n % 2})]
            tally.count("1:1", {total(arm, "questions"): 1, latency(arm, bucket(250.0)): 1}, seen)
    return wire(Told(tally.fields, **told))


def wire(told: Told) -> dict[str, Any]:
    """The report as `/v1/experiment` gives it."""
    return dict(json.loads(json.dumps(asdict(report(told, COMPARED, "1:1")))))


def test_the_table_has_both_arms_the_difference_and_the_verdict(run: Run, replica: Replica) -> None:
    replica.replies[PATH] = (200, shown_report())
    out = run("experiment", "--url", replica.url).stdout
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0].startswith("experiment bigger, since 2023-11-1")
    assert "calls first as listed large" in lines
    assert "users or sessions 200 200" in lines
    (liked,) = (line for line in lines if line.startswith("liked"))
    assert liked.startswith("liked 40.0% of 200 (")
    assert "90.0% of 200 (" in liked
    assert "+50.0 points (+" in liked
    took = f"{middle_ms(bucket(250.0)):,.0f} ms"
    assert f"half of the answers {took} {took}" in lines
    assert any(line.startswith("in time (5 s) 50.0% of 200") for line in lines)
    assert any(line.startswith("Verdict: large is liked more than small: by ") for line in lines)
    assert any("look whenever you like" in line for line in lines)


def test_json_is_given_as_it_came(run: Run, replica: Replica) -> None:
    told = shown_report()
    replica.replies[PATH] = (200, told)
    assert json.loads(run("experiment", "--json", "--url", replica.url).stdout) == told


def test_before_anything_was_counted_that_is_said(run: Run, replica: Replica) -> None:
    replica.replies[PATH] = (200, wire(Told({})))
    out = run("experiment", "--url", replica.url).stdout
    assert "experiment bigger: nothing was counted yet" in out
    assert "no verdict yet: too few people have rated answers of both arms" in out


def test_doubts_guardrails_ends_and_losses_are_said(run: Run, replica: Replica) -> None:
    fields = {"units 1:1 0": 900.0, "units 1:1 1": 500.0, "lost": 1_700_000_000_000.0}
    tally = Tally(dict(fields))
    for n in range(300):
        tally.observe("1:1", "answered", 0, 1)
        tally.observe("1:1", "answered", 1, n % 2)
    replica.replies[PATH] = (200, wire(Told(tally.fields, "small")))
    out = run("experiment", "--url", replica.url).stdout
    assert "Do not trust this: users are not split as configured" in out
    assert "Guardrail: large answers fewer questions: by " in out
    assert "Ended by an operator: small answers everybody" in out
    assert "Note: Redis lost what was counted earlier" in out


def test_without_an_experiment_the_replica_says_so(run: Run, replica: Replica) -> None:
    replica.replies[PATH] = (404, {"error": {"message": "no experiment is configured"}})
    result = run("experiment", "--url", replica.url)
    assert result.exit_code == 1
    assert "no experiment is configured" in result.stderr


def test_nobody_answers(run: Run) -> None:
    result = run("experiment", "--url", f"http://127.0.0.1:{free_port()}")
    assert result.exit_code == 1
    assert "nothing answers at" in result.stderr


def test_an_operator_ends_the_split_and_resumes_it(run: Run, replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HA_RAG_ADMIN_TOKEN", "letmein")
    replica.replies["POST", "/v1/experiment/end"] = (200, shown_report(ended="large"))
    replica.replies["POST", "/v1/experiment/resume"] = (200, shown_report())
    assert "large answers everybody" in run("experiment", "--end", "large", "--url", replica.url).stdout
    assert "Ended" not in run("experiment", "--resume", "--url", replica.url).stdout
    ended, resumed = replica.seen
    assert (ended[0], ended[1], ended[3]) == ("POST", "/v1/experiment/end", {"arm": "large"})
    assert ended[2]["authorization"] == "Bearer letmein"
    assert resumed[1] == "/v1/experiment/resume"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--comments"], "--comments: needs --degradation"),
        (["--degradation", "--end", "large"], "--degradation: cannot be combined"),
        (["--end", "large", "--resume"], "--end: cannot be combined with --resume"),
        (["--name", "bigger"], "--name: needs --url with the address of a Redis"),
        (["--url", "ftp://here"], "must be"),
    ],
)
def test_what_does_not_go_together_is_said(run: Run, words: list[str], said: str) -> None:
    result = run("experiment", *words)
    assert result.exit_code != 0
    assert said in " ".join(result.stderr.split())


def test_hostile_names_are_harmless(run: Run, replica: Replica) -> None:
    told = shown_report()
    told["name"] = told["arms"][0]["name"] = told["verdict"] = HOSTILE
    told["warnings"] = [HOSTILE]
    told["arms"][1]["firsts"] = {"generator": HOSTILE}
    replica.replies[PATH] = (200, told)
    assert_harmless(run("experiment", "--url", replica.url).stdout)
    assert_harmless(run("experiment", "--json", "--url", replica.url).stdout)


# ---- what degrading costs -------------------------------------------------------------------------------------------


def test_degradation_is_a_table_with_what_it_costs(run: Run, replica: Replica) -> None:
    replica.replies["GET", "/v1/fleet"] = (200, {"satisfaction": ROWS, "cost_of_degrading": COST})
    lines = [
        " ".join(line.split()) for line in run("experiment", "--degradation", "--url", replica.url).stdout.splitlines()
    ]
    assert lines[1:4] == [
        "all 80% 49% to 94% 10",
        "degraded: none 80% 49% to 94% 10",
        "generator.large - 0% to 100% 0",
    ]
    assert lines[-1] == "Degrading costs 25 points of satisfaction (95 %: 10 to 40)."


def test_degradation_as_json(run: Run, replica: Replica) -> None:
    replica.replies["GET", "/v1/fleet"] = (200, {"satisfaction": ROWS, "cost_of_degrading": COST, "replicas": []})
    told = json.loads(run("experiment", "--degradation", "--json", "--url", replica.url).stdout)
    assert told == {"satisfaction": ROWS, "cost_of_degrading": COST}


def test_comments_are_shown_where_asked_for(run: Run, replica: Replica) -> None:
    replica.replies["GET", "/v1/fleet"] = (200, {"satisfaction": ROWS, "cost_of_degrading": None})
    replica.replies["GET", "/v1/feedback"] = (
        200, {"comments": [{"verdict": "down", "about": "degradation:none", "comment": f"Too old. {HOSTILE}"}]}
    )  # fmt: skip
    out = run("experiment", "--degradation", "--comments", "--url", replica.url).stdout
    assert "down    degradation:none: Too old." in out
    assert "Degrading costs" not in out
    assert_harmless(out)


@pytest.mark.parametrize("told", [{"satisfaction": [], "cost_of_degrading": None}, {"circuits": []}])
def test_where_nothing_was_rated_that_is_said(run: Run, replica: Replica, told: dict[str, Any]) -> None:
    # A replica of an earlier version tells nothing of satisfaction.
    replica.replies["GET", "/v1/fleet"] = (200, told)
    assert "No answer has been rated yet" in run("experiment", "--degradation", "--url", replica.url).stdout


# ---- straight from Redis --------------------------------------------------------------------------------------------


def fill(redis_url: str) -> None:
    """Counts an experiment, one that ended before it, and two ratings."""

    async def work() -> None:
        client = connect(redis_url)
        store, earlier = RedisExperimentStore(client), ExperimentKey("earlier", "89abcdef", (1, 1))
        await store.describe(earlier, Compared("earlier", COMPARED.arms, 5.0).wire(earlier))
        await store.rate(earlier, 0, 1, True)
        await asyncio.sleep(0.01)  # the clock of Redis says which was counted last
        await store.describe(KEY, COMPARED.wire(KEY))
        seen = [Seen(arm, arm, {"answered": 1, "undegraded": 1, "in_time": 1}) for arm in (0, 1)]
        await store.count(KEY, Batch("one", 1, {total(0, "questions"): 3, total(1, "questions"): 4}, seen))
        feedback = RedisFeedbackStore(client)
        await feedback.give(Rating("a" * 64, "up", ["degradation:none", "all"]))
        await feedback.give(Rating("b" * 64, "down", ["degradation:any", "all"], "Slow."))
        await close(client)

    asyncio.run(work())


def test_redis_tells_the_experiment_that_counted_last(run: Run, redis_server: RedisProcess) -> None:
    fill(redis_server.url)
    told = json.loads(run("experiment", "--json", "--url", redis_server.url).stdout)
    assert told["name"] == "bigger"
    assert [arm["questions"] for arm in told["arms"]] == [3, 4]
    assert [arm["units"] for arm in told["arms"]] == [1, 1]
    named = json.loads(run("experiment", "--json", "--name", "earlier", "--url", redis_server.url).stdout)
    assert named["arms"][0]["shares"]["liked"]["number"] == 1
    assert "experiment bigger" in run("experiment", "--url", redis_server.url).stdout


def test_the_split_is_ended_and_resumed_in_redis(run: Run, redis_server: RedisProcess) -> None:
    fill(redis_server.url)
    refused = run("experiment", "--end", "tiny", "--url", redis_server.url)
    assert refused.exit_code == 2
    assert "must be one of small, large" in refused.stderr
    assert "large answers everybody" in run("experiment", "--end", "large", "--url", redis_server.url).stdout
    assert json.loads(run("experiment", "--json", "--url", redis_server.url).stdout)["ended"] == "large"
    assert json.loads(run("experiment", "--json", "--resume", "--url", redis_server.url).stdout)["ended"] == ""


def test_an_experiment_that_redis_does_not_know_is_named_with_those_it_does(
    run: Run, redis_server: RedisProcess
) -> None:
    nothing = run("experiment", "--url", redis_server.url)
    assert nothing.exit_code == 1
    assert "no experiment is known in this Redis, under the namespace 'ha_rag'" in nothing.stderr
    fill(redis_server.url)
    unknown = run("experiment", "--name", "biger", "--url", redis_server.url)
    assert "no experiment called 'biger' is known" in unknown.stderr
    assert "there are bigger, earlier" in unknown.stderr


def test_the_namespace_is_that_of_the_configuration(run: Run, redis_server: RedisProcess, own_folder: Path) -> None:
    fill(redis_server.url)
    (own_folder / "ha_rag.toml").write_text('[fleet]\nnamespace = "another"\n')
    assert "under the namespace 'another'" in run("experiment", "--url", redis_server.url).stderr


def test_redis_tells_what_degrading_costs(run: Run, redis_server: RedisProcess) -> None:
    fill(redis_server.url)
    told = json.loads(run("experiment", "--degradation", "--comments", "--json", "--url", redis_server.url).stdout)
    assert {row["of"]: (row["up"], row["down"]) for row in told["satisfaction"] if row["by"] == "degradation"} == {
        "none": (1, 0),
        "any": (0, 1),
    }
    assert told["cost_of_degrading"]["points"] == 1.0
    assert told["comments"] == [{"verdict": "down", "about": "degradation:any", "comment": "Slow."}]


@pytest.mark.parametrize("words", [[], ["--degradation"]])
def test_a_redis_that_is_away_is_said_without_its_password(run: Run, words: list[str]) -> None:
    result = run("experiment", *words, "--url", f"redis://:hunter2@127.0.0.1:{free_port()}/0")
    assert result.exit_code == 1
    assert "this Redis does not answer" in result.stderr
    assert "hunter2" not in result.stderr
