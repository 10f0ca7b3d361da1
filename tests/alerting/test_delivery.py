"""Delivery over real sockets: redirects are not followed, and failures are logged without secrets."""

from __future__ import annotations

import asyncio
import logging

import pytest

from ha_rag.alerting.delivery import AppriseDelivery
from ha_rag.errors import ConfigurationError
from tests.components.canned import canned_service, raw_service, reply

pytestmark = pytest.mark.filterwarnings("ignore:'.*' is deprecated:DeprecationWarning")  # from apprise's plug-ins
TOKEN = "T0ken-of-a-receiver"


def url_of(base_url: str) -> str:
    return base_url.replace("http://", "json://") + f"/{TOKEN}"


async def send(base_url: str) -> bool:
    delivery = await asyncio.to_thread(AppriseDelivery, [url_of(base_url)])
    return await delivery.send("Circuit open", "embedder.primary is open", level="failure")


async def test_a_message_is_delivered():
    async with canned_service(reply(b"")) as receiver:
        assert await send(receiver.base_url)
        assert receiver.body()["message"] == "embedder.primary is open"
        assert receiver.requests[0].startswith(f"POST /v1/{TOKEN} ".encode())


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_redirects_are_not_followed_and_count_as_not_sent(status):
    arrived: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(reply(b""))

    async with raw_service(take) as elsewhere:
        async with canned_service(reply(b"", status, Location=f"{elsewhere}/{TOKEN}")) as receiver:
            assert not await send(receiver.base_url)
            assert len(receiver.requests) == 1
        assert arrived == []


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
async def test_a_refusal_is_logged_without_the_token(caplog, level):
    caplog.set_level(level)
    async with canned_service(reply(TOKEN.encode(), "403 Forbidden")) as receiver:
        assert not await send(receiver.base_url)
    assert TOKEN not in caplog.text


def test_an_unsupported_url_is_refused_without_its_token():
    with pytest.raises(ConfigurationError, match=r"alert URL 1 \(nonsense://\.\.\.\)") as refused:
        AppriseDelivery([f"nonsense://{TOKEN}"])
    assert TOKEN not in str(refused.value)
