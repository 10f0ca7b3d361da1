"""Who may change things: the operator's token, or this very machine and no page of another site."""

from __future__ import annotations

import pytest

from ha_rag.http.access import Access, is_loopback
from tests.http.street import House

WORD = {"mode": "open", "reason": "maintenance"}
PATH = "/v1/circuits/embedder.primary/override"
CHANGES = [
    ("PUT", PATH, WORD),
    ("DELETE", PATH, None),
    ("POST", "/v1/documents", {"id": "a", "text": "b"}),
    ("DELETE", "/v1/documents/a", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_without_a_token_this_machine_may(method, path, body):
    house = House()
    house.documents.held["a"] = "b"

    assert (await house.street().call(method, path, body)).status == 200


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@pytest.mark.parametrize("peer", ["192.0.2.7", "10.0.0.1", "2001:db8::1", ""])
async def test_without_a_token_other_machines_may_not_and_are_told_the_variable(method, path, body, peer):
    reply = await House().street(peer).call(method, path, body)

    assert (reply.status, reply.error[0]) == (403, "forbidden")
    assert "HA_RAG_ADMIN_TOKEN" in reply.error[1]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "attacker.example"},
        {"host": "attacker.example:8000"},
        {"host": "127.0.0.1.attacker.example"},
        {"host": "[::1"},
        {"host": ""},
        {"origin": "http://attacker.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"x-forwarded-for": "192.0.2.7"},
        {"x-forwarded-for": "127.0.0.1, 192.0.2.7"},
        {"x-forwarded-for": "unknown"},
        {"forwarded": "for=127.0.0.1"},
    ],
)
async def test_what_a_page_of_another_site_or_a_proxy_can_send_is_refused(headers):
    reply = await House().street().call("PUT", PATH, WORD, headers=headers)

    assert reply.status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost:8000"},
        {"host": "[::1]:8000"},
        {"origin": "http://127.0.0.1:8000"},
        {"host": "localhost", "origin": "http://localhost"},
        {"sec-fetch-site": "same-origin"},
        {"x-forwarded-for": "127.0.0.1"},
    ],
)
async def test_what_this_server_s_own_page_and_the_front_send_is_taken(headers):
    assert (await House().street().call("PUT", PATH, WORD, headers=headers)).status == 200


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_without_a_token_a_form_s_content_type_is_refused(method, path, body):
    reply = await House().street().call(method, path, body, headers={"content-type": "text/plain"})

    assert reply.status == 415


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_with_a_token_only_the_token_counts(method, path, body):
    house = House(options={"access": Access(admin_token="right")})
    house.documents.held["a"] = "b"

    assert (await house.street().call(method, path, body)).status == 401
    wrong = await house.street().call(method, path, body, headers={"authorization": "Bearer wrong"})
    right = {"authorization": "Bearer right", "host": "rag.example"}

    assert wrong.status == 401
    assert (await house.street("192.0.2.7").call(method, path, body, headers=right)).status == 200


async def test_an_api_key_is_no_operator_s_token():
    house = House(options={"access": Access(admin_token="admin", api_keys=("key",))})

    assert (await house.street().call("PUT", PATH, WORD, headers={"authorization": "Bearer key"})).status == 401


async def test_secrets_show_in_no_repr():
    assert "admin" not in repr(Access(admin_token="admin-1", api_keys=("key-1",)))


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("localhost", True),
        ("LOCALHOST.", True), ("0.0.0.0", False), ("127.0.0.1.example", False), ("2130706433", False), ("", False),
    ],
)  # fmt: skip
def test_only_what_is_this_machine_by_definition_is_loopback(name, verdict):
    assert is_loopback(name) is verdict
