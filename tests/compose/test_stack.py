"""The first thing a user types: `docker compose up --scale rag=3`. Whatever dies then costs nobody an answer."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.compose.stack import STOP_S, Stack
from tests.compose.talking import CIRCUIT, QUESTION, ask, call, replicas, states, until

pytestmark = [pytest.mark.compose, pytest.mark.timeout(600)]


def test_three_replicas_answer_behind_one_address(stack: Stack) -> None:
    until(lambda: call(stack, "/health/ready")[0] == 200, 20, "the gateway has found one")
    until(lambda: len({ask(stack)["replica"] for _ in range(6)}) == 3, 20, "all three answer")
    answer = ask(stack)
    assert not answer["degraded"]
    assert answer["citations"]


def test_one_dashboard_lists_all_three(stack: Stack) -> None:
    until(lambda: len(replicas(stack)) == 3, 20, "three are shown")
    status, page = call(stack, "/")
    assert status == 200
    assert b"<script" in page
    dashboard = stack.containers("dashboard")[0]
    told_by = json.loads(call(stack, "/v1/fleet")[1])["told_by"]
    assert told_by.startswith(stack.docker("inspect", "-f", "{{.Config.Hostname}}", dashboard).strip())


def test_nothing_but_the_gateway_is_published_and_that_for_this_machine_alone(stack: Stack) -> None:
    ports = stack.docker("ps", "--filter", f"label=com.docker.compose.project={stack.name}", "--format", "{{.Ports}}")
    published = [port for line in ports.splitlines() for port in line.split(", ") if "->" in port]
    assert published == [f"127.0.0.1:{stack.port}->8000/tcp"]


def test_what_runs_is_nobody_special_and_can_change_and_build_nothing(stack: Stack) -> None:
    replica = stack.containers("rag")[0]
    tried = (
        "import os, shutil, importlib.util\n"
        "def refused(path):\n"
        "    try:\n"
        "        open(path, 'w')\n"
        "    except OSError:\n"
        "        return True\n"
        "print(os.getuid() != 0, refused('/data/x'), refused('/app/x'), refused('/home/ha_rag/x'),\n"
        "      not [t for t in ('gcc', 'make', 'pip') if shutil.which(t, path='/venv/bin:/usr/bin:/bin')],\n"
        "      importlib.util.find_spec('pip') is None)\n"
    )
    assert stack.docker("exec", replica, "python", "-c", tried).split() == ["True"] * 6


@pytest.mark.parametrize("service", ["gateway", "redis", "rag", "dashboard", "alerter", "provider"])
def test_what_runs_has_no_privilege(stack: Stack, service: str) -> None:
    said = stack.docker("exec", stack.containers(service)[0], "cat", "/proc/1/status")
    facts = dict(line.split(":\t", 1) for line in said.splitlines() if ":\t" in line)
    assert "0" not in facts["Uid"].split() + facts["Gid"].split()
    assert {int(facts[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert facts["NoNewPrivs"] == "1"


@pytest.mark.parametrize(
    "path",
    ["/metrics", "/%6detrics", "/%6D%65trics", "/metrics?a=b", "/metrics/", "//metrics", "/./metrics", "/x/../metrics",
     "/v1/../metrics", "/v1/%2e%2e/metrics", "/web/..%2fmetrics", "/health/metrics", "/%76%31/circuits", "/nothing"],
)  # fmt: skip
def test_the_gateway_publishes_nothing_that_is_not_listed_however_it_is_spelled(stack: Stack, path: str) -> None:
    status, body = call(stack, path)
    assert status == 404
    assert b"# HELP" not in body
    assert json.loads(body)["error"]["type"] == "not_found"


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/health", "/v1/circuits", "/web/main.js"])
def test_the_gateway_publishes_what_people_need(stack: Stack, path: str) -> None:
    until(lambda: call(stack, "/health/ready")[0] == 200, 20, "the gateway has found one")
    assert call(stack, path)[0] == 200


def test_the_same_image_teaches(stack: Stack) -> None:
    walked = stack.docker("run", "--rm", "ha-rag", "learn", "--auto", "--scenario", "normal")
    assert "The end: " in walked


def test_without_a_token_nobody_can_act_through_the_gateway(stack: Stack) -> None:
    request = urllib.request.Request(
        f"{stack.url}/v1/circuits/{CIRCUIT}/override",
        method="PUT",
        data=b'{"mode": "open", "reason": "no"}',
        headers={"Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 403
    assert b"HA_RAG_ADMIN_TOKEN" in refused.value.read()


def test_a_container_on_the_same_network_may_ask_and_not_act(stack: Stack) -> None:
    """It reaches every port of the stack, and is another machine to a replica."""
    tried = (
        "import urllib.request as u, urllib.error as e\n"
        "def said(method, path, body=None):\n"
        "    r = u.Request('http://rag:8000' + path, method=method, data=body,\n"
        "                  headers={'Content-Type': 'application/json', 'Host': 'localhost'})\n"
        "    try:\n"
        "        return u.urlopen(r, timeout=10).status\n"
        "    except e.HTTPError as error:\n"
        "        return error.code\n"
        f"path = '/v1/circuits/{CIRCUIT}/override'\n"
        'print(said(\'PUT\', path, b\'{"mode": "open", "reason": "no"}\'), said(\'DELETE\', path),\n'
        "      said('POST', '/v1/documents', b'{\"text\": \"Bees hum.\"}'), said('GET', '/v1/documents'),\n"
        "      said('POST', '/v1/query', b'{\"question\": \"How?\"}'), said('GET', '/metrics'))\n"
    )
    answered = stack.docker("exec", stack.containers("dashboard")[0], "python", "-c", tried)
    assert answered.split() == ["403"] * 4 + ["200"] * 2


def test_documents_are_changed_where_the_index_can_be_written_and_nowhere_else(stack: Stack) -> None:
    replica = stack.containers("rag")[0]
    tried = (
        "import urllib.request as u, urllib.error as e\n"
        "r = u.Request('http://127.0.0.1:8000/v1/documents', data=b'{\"text\": \"Bees hum.\"}',\n"
        "              headers={'Content-Type': 'application/json'})\n"
        "try:\n"
        "    u.urlopen(r)\n"
        "except e.HTTPError as error:\n"
        "    print(error.code, error.read().decode())\n"
    )
    said = stack.docker("exec", replica, "python", "-c", tried)
    assert said.startswith("409")
    assert "ha-rag ingest" in said


def test_a_provider_that_breaks_opens_the_circuit_on_all_three_and_every_question_is_answered(stack: Stack) -> None:
    with stack.asked(per_s=20, for_s=20) as load:
        stack.compose("exec", "-T", "rag", "ha-rag", "break", CIRCUIT, "--for", "120")
        until(lambda: states(stack) == {"open"}, 20, "open on all three")
        stack.compose("exec", "-T", "rag", "ha-rag", "mend")
        until(lambda: bool(ask(stack)) and states(stack) == {"closed"}, 60, "closed again")
    assert load.lost == {}
    assert load.tally["degraded"] > 0


def test_a_replica_that_is_killed_under_load_costs_nobody_an_answer(stack: Stack) -> None:
    with stack.asked(per_s=40, for_s=12) as load:
        until(lambda: len(replicas(stack)) == 3, 10, "three are there")
        stack.docker("kill", stack.containers("rag")[0])
    assert load.lost == {}
    assert len(stack.containers("rag")) == 2
    until(lambda: len(replicas(stack)) == 2, 20, "the dashboard shows two")
    stack.scale(3)
    until(lambda: len(replicas(stack)) == 3, 30, "three again")


def test_a_replica_that_is_killed_while_it_answers_the_longest_question_leaves_it_to_another(stack: Stack) -> None:
    longest = f"{QUESTION} ".ljust(8000, "\U0001f600")
    stack.compose(
        "exec", "-T", "rag", "ha-rag", "break", "generator.primary", "--mode", "slow", "--delay", "7", "--for", "20"
    )
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, stack, longest)
        stack.docker("kill", until(lambda: busy(stack), 7, "one replica is answering"))
        assert answer.result(60)["answer"]
    stack.scale(3)
    until(lambda: len(replicas(stack)) == 3, 30, "three again")


def busy(stack: Stack) -> str:
    """The container of a replica that is at work on a question; empty while none is."""
    at_work = "ha_rag_in_flight_requests 1.0"
    return next((one for one in stack.containers("rag") if at_work in stack.inside(one, "/metrics")), "")


def test_redis_that_is_killed_under_load_costs_nobody_an_answer(stack: Stack) -> None:
    with stack.asked(per_s=20, for_s=15) as load:
        stack.docker("kill", stack.containers("redis")[0])
        until(lambda: ask(stack)["shared_state"] == "local", 10, "each goes on alone")
        stack.compose("up", "-d", "redis")
        until(lambda: ask(stack)["shared_state"] == "fresh", 10, "shared again")
    assert load.lost == {}
    until(lambda: len(replicas(stack)) == 3, 20, "the dashboard shows all three")


def test_scaling_up_and_down_under_load_loses_no_question(stack: Stack) -> None:
    with stack.asked(per_s=20, for_s=50) as load:
        stack.scale(5)
        until(lambda: len({ask(stack)["replica"] for _ in range(10)}) == 5, 30, "all five answer")
        stack.scale(2)
        until(lambda: len(replicas(stack)) == 2, 30, "two are left")
        assert len({ask(stack)["replica"] for _ in range(6)}) == 2
    assert load.lost == {}


def test_a_dashboard_that_is_gone_leaves_nobody_blind(stack: Stack) -> None:
    stack.docker("kill", stack.containers("dashboard")[0])
    until(lambda: call(stack, "/")[0] == 200, 10, "a replica shows the page")
    stack.compose("up", "-d", "dashboard")


def test_without_a_replica_the_gateway_says_so_as_a_replica_would(stack: Stack) -> None:
    stack.compose("stop", "--timeout", "1", "rag")
    until(lambda: call(stack, "/health/ready")[0] == 503, 20, "the gateway has noticed")
    assert json.loads(call(stack, "/health/ready")[1])["error"]["type"] == "no_replica"
    stack.compose("start", "rag")


def test_down_leaves_nothing_and_waits_for_nobody_who_only_just_starts(stack: Stack) -> None:
    stack.docker("restart", "--time", "0", stack.containers("dashboard")[0])
    began_s = time.monotonic()
    stack.down()
    assert time.monotonic() < began_s + 0.5 * STOP_S
    assert stack.left() == ""
