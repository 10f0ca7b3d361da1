"""/metrics of the one port: the whole fleet's, whoever's turn it is."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from ha_rag.events import CircuitChanged, QuestionAnswered
from ha_rag.local_fleet import gathered_metrics
from ha_rag.local_fleet.gathered_metrics import merged
from ha_rag.local_fleet.upstreams import Upstream
from ha_rag.messages import Attempt
from ha_rag.outcomes import Outcome
from ha_rag.telemetry.metrics import Metrics
from tests.local_fleet.replica_stand_in import StandIn, stays_silent
from tests.local_fleet.test_front import front_of
from tests.ports import free_port
from tests.waiting import PATIENCE_S


def metrics_after(questions: int) -> str:
    metrics = Metrics()
    metrics(CircuitChanged(at_ms=1, circuit="c", previous_epoch=0, epoch=1, from_state="closed", to_state="open"))
    for _ in range(questions):
        metrics(
            QuestionAnswered(
                at_ms=1, answer="a", ms=30.0, served_by={}, degraded_stages=(), shared_state="fresh",
                attempts=(Attempt("embedder.primary", Outcome.OK, 2.0),),
            )
        )  # fmt: skip
    return metrics.text().decode()


def telling(text: str):
    async def tell(_: web.Request) -> web.StreamResponse:
        return web.Response(text=text)

    return tell


def families(text: str):
    return {family.name: family for family in text_string_to_metric_families(text)}


def by_replica(text: str, name: str) -> dict[str, float]:
    found = [sample for family in families(text).values() for sample in family.samples if sample.name == name]
    return {sample.labels["replica"]: sample.value for sample in found}


async def scraped(front) -> str:
    async with aiohttp.ClientSession() as session, session.get(front.make_url("/metrics")) as reply:
        assert reply.status == 200
        assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return await reply.text()


async def test_every_scrape_tells_of_every_replica_and_of_each_its_own():
    one, two = StandIn("rag-1"), StandIn("rag-2")
    one.answer, two.answer = telling(metrics_after(3)), telling(metrics_after(5))

    async with front_of(one, two) as front:
        scrapes = [await scraped(front) for _ in range(3)]

    for text in scrapes:
        assert by_replica(text, "ha_rag_questions_total") == {"rag-1": 3, "rag-2": 5}
        assert by_replica(text, "ha_rag_attempt_seconds_sum") == {"rag-1": 0.006, "rag-2": 0.01}
        assert by_replica(text, "ha_rag_replica_up") == {"rag-1": 1, "rag-2": 1}


async def test_one_that_hangs_and_one_that_is_gone_are_down_and_the_others_are_told_of_all_the_same(monkeypatch):
    monkeypatch.setattr(gathered_metrics, "WITHIN_S", 0.5)
    well, hanging = StandIn("rag-1"), StandIn("rag-2")
    well.answer, hanging.answer = telling(metrics_after(3)), stays_silent
    gone = Upstream(name="rag-3", url=f"http://127.0.0.1:{free_port()}")

    async with front_of(well, hanging, extra=(gone,)) as front, asyncio.timeout(PATIENCE_S):
        while not by_replica(text := await scraped(front), "ha_rag_replica_up")["rag-1"]:
            pass  # on a busy machine it, too, may be later than the others are waited for

    assert by_replica(text, "ha_rag_replica_up") == {"rag-1": 1, "rag-2": 0, "rag-3": 0}
    assert by_replica(text, "ha_rag_questions_total") == {"rag-1": 3}


async def test_a_replica_that_takes_no_questions_any_more_is_still_told_of():
    leaving = StandIn("rag-1")
    leaving.ready, leaving.answer = False, telling(metrics_after(3))

    async with front_of(leaving) as front:
        text = await scraped(front)

    assert by_replica(text, "ha_rag_questions_total") == {"rag-1": 3}


def test_lines_of_one_metric_stand_together_under_what_is_said_of_it_once():
    text = merged({"rag-1": metrics_after(1), "rag-2": metrics_after(2)})
    told = [line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE ")]

    assert len(told) == len(set(told))
    assert {family.type for family in families(text).values()} == {"counter", "gauge", "histogram"}
    counts = {sample.labels["replica"] for sample in families(text)["ha_rag_attempt_seconds"].samples}
    assert counts == {"rag-1", "rag-2"}


@pytest.mark.parametrize("name", ['quo"ted', "back\\slash", "two\nlines", "{a} b"])
def test_a_replica_s_name_is_a_value_whatever_stands_in_it(name):
    assert by_replica(merged({name: metrics_after(1)}), "ha_rag_questions_total") == {name: 1}


def test_values_with_braces_and_blanks_in_their_labels_stay_as_they_were():
    text = '# HELP x X.\n# TYPE x gauge\nx{a="b} 1 {"} 2.0\nx 3.0\n'

    samples = families(merged({"r": text}))["x"].samples

    assert [(sample.labels, sample.value) for sample in samples] == [
        ({"replica": "r", "a": "b} 1 {"}, 2.0),
        ({"replica": "r"}, 3.0),
    ]
