"""Other shapes of the stack, each on top of the first: sentinels, TLS, and something that fails every minute."""

from __future__ import annotations

import json
import ssl
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.compose.conftest import StackWith
from tests.compose.stack import Stack
from tests.compose.talking import ask, call, states, until
from tests.ports import free_port

pytestmark = [pytest.mark.compose, pytest.mark.timeout(600)]


def redis(stack: Stack, service: str, *words: str) -> list[str]:
    """What redis-cli hears in the container of a service, a line each; nothing where the server does not listen yet."""
    waiting = 'until redis-cli "$@"; do [ $((i += 1)) -lt 50 ] || exit 0; sleep 0.1; done 2>/dev/null'
    return stack.docker("exec", stack.containers(service)[0], "sh", "-c", waiting, "sh", *words).splitlines()


def all_know_all(stack: Stack) -> bool:
    told = [redis(stack, f"sentinel-{n}", "-p", "26379", "sentinel", "master", "fleet") for n in (1, 2, 3)]
    facts = [dict(zip(one[::2], one[1::2], strict=False)) for one in told]
    return {(one.get("num-slaves"), one.get("num-other-sentinels")) for one in facts} == {("1", "2")}


def test_sentinels_put_the_copy_in_the_place_of_a_redis_that_was_killed(stack_with: StackWith) -> None:
    with stack_with("sentinel") as stack:
        until(lambda: call(stack, "/health/ready")[0] == 200, 20, "the gateway has found one")
        until(lambda: all_know_all(stack), 40, "the sentinels know the copy, and each other")
        with stack.asked(per_s=20, for_s=30) as load:
            with ThreadPoolExecutor(1) as pool:
                # Nobody is in its place for three seconds only, and its engine may take longer to tidy up after it.
                killing = pool.submit(stack.docker, "kill", stack.containers("redis")[0])
                until(lambda: ask(stack)["shared_state"] == "local", 20, "noticed")
                killing.result()
            # One replica that has noticed is not all of them: started again too soon, the master would stay one.
            until(lambda: redis(stack, "redis-copy", "role")[:1] == ["master"], 30, "the copy is in its place")
            until(lambda: ask(stack)["shared_state"] == "fresh", 20, "shared again, through the copy")
            stack.compose("up", "-d", "redis")
            # Where no sentinel answered it in time it begins as a master, whom nobody asks, until one makes it a copy:
            # they look every ten seconds, and bear a second master for eight.
            until(lambda: "slave" in redis(stack, "redis", "role"), 60, "it is back, as a copy")
        assert load.lost == {}
        assert ask(stack)["shared_state"] == "fresh"


def test_with_tls_nothing_is_said_in_the_clear(stack_with: StackWith, tmp_path: Path) -> None:
    with stack_with("tls") as stack:
        authority = tmp_path / "authority.crt"
        stack.docker("cp", f"{stack.containers('gateway')[0]}:/certificates/authority.crt", str(authority))
        trusted = ssl.create_default_context(cafile=str(authority))
        until(lambda: call(stack, "/health/ready", trusted=trusted)[0] == 200, 20, "the gateway has found one")
        until(lambda: ask(stack, trusted=trusted)["shared_state"] == "fresh", 10, "shared over TLS")
        assert call(stack, "/health/ready")[0] != 200, "the gateway answers without TLS, too"
        in_the_clear = ("exec", stack.containers("redis")[0], "redis-cli", "ping")
        with pytest.raises(AssertionError):
            stack.docker(*in_the_clear)


def test_prometheus_finds_every_replica_by_itself_and_sees_a_circuit_open(stack_with: StackWith) -> None:
    """Without Grafana, whose image is not there; its files are held to the metrics in tests/deploy."""
    port = free_port()

    def prometheus(path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=10) as reply:
            return json.load(reply)["data"]

    def healthy() -> int:
        try:
            return sum(target["health"] == "up" for target in prometheus("targets")["activeTargets"])
        except OSError:
            return 0

    services = ("prometheus", "gateway")
    with stack_with("observability", services=services, PROMETHEUS_PORT=str(port)) as stack:
        until(lambda: healthy() == 3, 60, "three replicas are asked for their metrics")
        stack.scale(4)
        until(lambda: healthy() == 4, 60, "the fourth is found, too")
        rules = {rule["name"] for group in prometheus("rules")["groups"] for rule in group["rules"]}
        assert "HaRagCircuitOpen" in rules
        with stack.asked(per_s=20, for_s=20) as load:
            stack.compose("exec", "-T", "rag", "ha-rag", "break", "embedder.primary", "--for", "60")
            query = "query?query=" + urllib.parse.quote('max(ha_rag_circuit_state{circuit="embedder.primary"})')
            until(lambda: prometheus(query)["result"][0]["value"][1] == "1", 40, "Prometheus sees it open")
        assert load.lost == {}


def test_chaos_breaks_one_thing_after_another_and_every_question_is_answered(stack_with: StackWith) -> None:
    with stack_with("chaos", CHAOS_EVERY_S="6", CHAOS_FOR_S="3") as stack:
        until(lambda: call(stack, "/health/ready")[0] == 200, 20, "the gateway has found one")
        with stack.asked(per_s=20, for_s=40) as load:
            until(lambda: states(stack) == {"open"}, 20, "the first outage was noticed by all")
        assert load.lost == {}
        assert load.tally["degraded"] > 0
