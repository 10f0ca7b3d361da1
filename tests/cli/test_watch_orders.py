"""Orders of `ha-rag watch`: who may give them, and what becomes of them."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import orjson
import pytest

from ha_rag.cli.orders import OrdersOverHttp
from ha_rag.cli.replica_client import ReplicaClient
from ha_rag.cli.trouble import CommandError
from tests.monitor.pictures import picture
from tests.terminal import Terminal
from tests.waiting import PATIENCE_S, until

OVERRIDE = "/v1/circuits/embedder.primary/override"
NO_TOKEN = {"error": {"message": "send the operator token (HA_RAG_ADMIN_TOKEN) as Authorization: Bearer"}}
NO_BODY = {"error": {"message": "mode: Field required"}}


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (401, NO_TOKEN, "send the operator token (HA_RAG_ADMIN_TOKEN) as Authorization: Bearer"),
        (403, {"error": {"message": "from this machine only"}}, "from this machine only"),
        (422, NO_BODY, ""),
        (400, NO_BODY, ""),
        (404, {"error": {"message": "unknown circuit"}}, ""),
    ],
)
def test_whether_orders_are_allowed_is_asked_with_one_that_changes_nothing(replica, status, body, why):
    replica.replies["PUT", OVERRIDE] = (status, body)

    assert OrdersOverHttp(ReplicaClient(url=replica.url)).why_not("embedder.primary") == why
    assert replica.seen[0][3] == {}


@pytest.mark.parametrize(("status", "body"), [(503, {"error": {"message": "no Redis"}}), (500, b"oops"), (200, {})])
def test_what_cannot_tell_is_an_error(replica, status, body):
    replica.replies["PUT", OVERRIDE] = (status, body)

    with pytest.raises(CommandError):
        OrdersOverHttp(ReplicaClient(url=replica.url)).why_not("embedder.primary")


def test_an_order_is_an_override_and_its_end(replica):
    path = "/v1/circuits/host%3A443%2Fa/override"
    replica.replies["PUT", path] = replica.replies["DELETE", path] = (200, {})
    orders = OrdersOverHttp(ReplicaClient(url=replica.url))

    orders.give("host:443/a", "closed", "repairs", 30.0)
    orders.give("host:443/a", "auto", "", None)

    assert [(one[0], one[3]) for one in replica.seen] == [
        ("PUT", {"mode": "closed", "reason": "repairs", "for_s": 30.0}),
        ("DELETE", None),
    ]


def watching(replica: Any) -> Terminal:
    replica.replies["GET", "/v1/fleet"] = (200, orjson.loads(orjson.dumps(picture())))
    return Terminal([sys.executable, "-m", "ha_rag", "watch", "--url", replica.url], 100, 30, {})


async def shows(terminal: Terminal, text: str) -> None:
    await until(lambda: text in " ".join(terminal.frame.split()))


async def test_without_the_right_no_order_can_be_written(replica):
    replica.replies["PUT", OVERRIDE] = (401, NO_TOKEN)
    terminal = watching(replica)
    try:
        await shows(terminal, "q quit")
        terminal.types("o")
        await shows(terminal, "no order: send the operator token (HA_RAG_ADMIN_TOKEN)")
        assert "why: " not in terminal.frame
        assert [one[3] for one in replica.seen if one[0] == "PUT"] == [{}]
    finally:
        terminal.close()


async def test_an_order_that_is_refused_is_said_with_its_reason(replica):
    replica.replies["PUT", OVERRIDE] = (422, NO_BODY)
    terminal = watching(replica)
    try:
        await shows(terminal, "q quit")
        terminal.types("c")
        await shows(terminal, "why: ")
        terminal.types("repairs\r")
        await shows(terminal, "for how many seconds")
        replica.replies["PUT", OVERRIDE] = (503, {"error": {"message": "Redis is unreachable; nothing was changed"}})
        terminal.types("\r")
        await shows(terminal, "no order was given: Redis is unreachable; nothing was changed")
        terminal.types("q")
        assert await asyncio.to_thread(terminal.process.wait, PATIENCE_S) == 0
    finally:
        terminal.close()


async def test_an_error_while_drawing_leaves_the_terminal_as_it_was(replica):
    """An exception that nobody expected."""
    replica.replies["GET", "/v1/fleet"] = (200, orjson.loads(orjson.dumps(picture())))
    broken = (
        "import ha_rag.dashboards.terminal as terminal\n"
        "from ha_rag.dashboards.steering import Page\n"
        "draw = terminal.draw\n"
        "def fails(*given, steering=None, **more):\n"
        "    if steering and steering.page is Page.HELP: raise RuntimeError('a defect')\n"
        "    return draw(*given, steering=steering, **more)\n"
        "terminal.draw = fails\n"
        "from ha_rag.cli.app import app\n"
        f"app(['watch', '--url', '{replica.url}'])\n"
    )
    terminal = Terminal([sys.executable, "-c", broken], 100, 30, {})
    try:
        before = terminal.modes()
        await shows(terminal, "q quit")
        terminal.types("?")
        assert await asyncio.to_thread(terminal.process.wait, PATIENCE_S) == 1
        terminal.ended()
        assert terminal.modes() == before
        assert "internal error: RuntimeError: a defect" in terminal.plain
    finally:
        terminal.close()
