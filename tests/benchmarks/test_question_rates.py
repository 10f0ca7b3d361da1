"""How the figures of `questions_per_second` are told, and what wrk is asked to send."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from benchmarks.peers.gateways import GATEWAYS, PORTKEY, cannot_run, served
from benchmarks.peers.litellm_python import LITELLM
from benchmarks.process_cost import cost
from benchmarks.question_rates import BARE, CONNECTIONS, OURS, Found, Measured, rows
from benchmarks.question_rates import LITELLM as PROXY
from benchmarks.wrk import FailedError, Load, Request, load, require_wrk, script_for


def one(per_s: float, *, busy: float = 1.0, provider_busy: float = 0.3) -> Measured:
    answered = Load(answers=int(per_s), refused=0, lost=0, seconds=1.0, p50_ms=1.0, p99_ms=2.0)
    return Measured(answered, busy, provider_busy, 100.0, {"embeddings": 1.0, "chat": 1.0, "rerank": 0.0})


def found(**per_s: float) -> Found:
    names = {"ours": OURS, "bare": BARE}
    return Found({names[name]: {n: [one(its)] for n in CONNECTIONS} for name, its in per_s.items()})


def test_the_ratio_is_that_of_the_same_round() -> None:
    its = Found(
        {OURS: {n: [one(100), one(50)] for n in CONNECTIONS}, BARE: {n: [one(200), one(100)] for n in CONNECTIONS}}
    )
    (ratio,) = [row for row in rows(its, (OURS, BARE)) if row.unit == "ratio" and row.bar]
    assert (ratio.who, ratio.low, ratio.high, ratio.missed) == (f"over {BARE}", 0.5, 0.5, False)


def test_a_bar_that_is_not_reached_is_missed() -> None:
    missed = [row for row in rows(found(ours=490, bare=1000), (OURS, BARE)) if row.missed]
    assert [(row.figure, row.group) for row in missed] == [
        (0.49, "ours, /v1/query, for each of the other, 64 connections")
    ]


def test_a_peer_that_failed_is_told_with_the_reason_wherever_it_would_have_a_figure() -> None:
    its = found(ours=500, bare=1000)
    its.leave_out(PROXY, "not installed")
    told = [row for row in rows(its, (OURS, BARE, PROXY)) if PROXY in row.who]
    assert {(row.figure, row.note) for row in told} == {(None, "not installed")}
    assert len(told) == 3 * len(CONNECTIONS) + 2
    assert [row.bar.value for row in told if row.bar] == [10]


def test_a_question_is_told_with_its_calls_and_its_processor_time() -> None:
    its = rows(found(ours=500, bare=1000), (OURS, BARE))
    (questions,) = [row for row in its if row.group == "questions, 64 connections" and row.who == OURS]
    assert questions.note == "p50 1.0 ms, p99 2.0 ms; embeddings 1, chat 1"
    (time,) = [row for row in its if row.group == "processor time, 64 connections" and row.who == OURS]
    assert (time.figure, time.unit) == (2.0, "ms")


def test_a_provider_that_is_always_busy_is_told() -> None:
    its = Found({OURS: {n: [one(100, provider_busy=0.95)] for n in CONNECTIONS}})
    assert [row.who for row in rows(its, (OURS,)) if row.note == "it may have limited the server"] == [OURS]


def test_what_is_sent_is_written_as_text_of_lua() -> None:
    script = script_for(Request("http://127.0.0.1:1/", {"question": 'a "quoted" one'}, {"Authorization": "Bearer k"}))
    assert 'wrk.headers["Authorization"] = "Bearer k"' in script
    (body,) = re.findall(r"wrk\.body = (.*)", script)
    assert json.loads(json.loads(body)) == {"question": 'a "quoted" one'}


def test_without_wrk_the_benchmark_says_what_it_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="needs wrk on the PATH"):
        require_wrk()


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
@pytest.mark.parametrize(("status", "complaint"), [(200, None), (503, "were errors")])
async def test_errors_are_not_taken_for_answers(status: int, complaint: str | None) -> None:
    received = set()

    async def answer(request: web.Request) -> web.Response:
        received.add((request.method, request.headers["X-Key"], (await request.json())["question"]))
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/ask", answer)
    async with TestServer(app) as server:
        request = Request(str(server.make_url("/ask")), {"question": "Why?"}, {"X-Key": "k"})
        if complaint:
            with pytest.raises(FailedError, match=complaint):
                await load(request, 2, 1.0)
        else:
            assert (await load(request, 2, 1.0)).per_s > 0
    assert received == {("POST", "k", "Why?")}


def test_the_cost_of_a_process_has_its_time_and_memory() -> None:
    its = cost(os.getpid())
    assert its.processor_s > 0
    assert its.resident_mb > 1


async def test_a_server_that_ends_before_it_listens_is_told_with_its_last_words() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    with pytest.raises(FailedError, match=r"did not start \(status 3\): no such option"):
        async with served([sys.executable, "-c", "print('no such option'); raise SystemExit(3)"], {}, never):
            pass


def test_a_gateway_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(LITELLM, str(tmp_path / "python"))
    assert cannot_run(PROXY) == f"not installed (make bench, or {LITELLM})"
    assert all(cannot_run(name) in ("", "not installed (make bench)") for name in GATEWAYS if name != PROXY)


def test_portkeys_gateway_is_pinned() -> None:
    (version,) = json.loads((PORTKEY / "package.json").read_text())["dependencies"].values()
    assert re.fullmatch(r"[0-9.]+", version)
