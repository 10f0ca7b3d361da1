"""Who may change things: the operator's token, or this very machine and no page of another site."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.errors import ConfigurationError
from ha_rag.http.access import Access, is_loopback
from tests.http.street import House

WORD = {"mode": "open", "reason": "maintenance"}
PATH = "/v1/circuits/embedder.primary/override"
ANY_HOUSE = House()
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
        {"host": "[::1]:8000:8000"},
        {"host": "[::2]:8000"},
        {"host": "[::ffff:192.0.2.7]"},
        {"host": "::1"},
        {"host": ""},
        {"host": "127.0.0.1#.attacker.example"},
        {"host": "127.0.0.1/.attacker.example"},
        {"host": "attacker@127.0.0.1"},
        {"host": "127.0.0.1, attacker.example"},
        {"host": "127.0.0.1\tattacker.example"},
        {"host": "localhost.attacker.example"},
        {"host": "127.1"},
        {"host": "0x7f000001"},
        {"host": "2130706433"},
        {"host": "0.0.0.0"},
        {"origin": "http://attacker.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://localhost:8000"},
        {"origin": "http://127.0.0.1:8000.attacker.example"},
        {"origin": "http://127.0.0.1:8000@attacker.example"},
        {"origin": "file://"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"x-forwarded-for": "192.0.2.7"},
        {"x-forwarded-for": "127.0.0.1, 192.0.2.7"},
        {"x-forwarded-for": "unknown"},
        {"x-forwarded-for": "192.0.2.7, 127.0.0.1"},
        {"x-forwarded-for": ","},
        {"x-forwarded-for": "127.0.0.1:50000"},
        {"x-forwarded-for": "localhost.attacker.example"},
        {"forwarded": "for=127.0.0.1"},
        {"x-real-ip": "127.0.0.1"},
        {"x-forwarded-host": "127.0.0.1"},
        {"x-forwarded-proto": "https"},
        {"via": "1.1 proxy"},
        {"cf-connecting-ip": "127.0.0.1"},
    ],
)
async def test_what_a_page_of_another_site_or_a_proxy_can_send_is_refused(headers):
    reply = await House().street().call("PUT", PATH, WORD, headers=headers)

    assert (reply.status, reply.error[0]) == (403, "forbidden")
    assert "HA_RAG_ADMIN_TOKEN" in reply.error[1]


@pytest.mark.parametrize("twice", ["host", "origin", "x-forwarded-for", "sec-fetch-site"])
async def test_a_header_that_is_sent_twice_is_read_twice(twice):
    good = {
        "host": "127.0.0.1:8000",
        "origin": "http://127.0.0.1:8000",
        "x-forwarded-for": "::1",
        "sec-fetch-site": "none",
    }
    bad = {
        "host": "a.example",
        "origin": "http://a.example",
        "x-forwarded-for": "192.0.2.7",
        "sec-fetch-site": "cross-site",
    }
    for first, second in ((good, bad), (bad, good)):
        reply = await House().street().call("PUT", PATH, WORD, pairs=[(twice, first[twice]), (twice, second[twice])])
        assert reply.status == 403


@given(
    st.from_regex(r"[ -~]{0,30}", fullmatch=True)
    | st.from_regex(r"(127|localhost|\[::|::|@|\.|:|[0-9]|a){1,8}", fullmatch=True)
)
def test_whatever_a_host_header_holds_it_names_this_machine_by_its_own_names_or_not_at_all(host):
    reply = asyncio.run(ANY_HOUSE.street().call("PUT", PATH, WORD, headers={"host": host}))

    name = re.sub(r":[0-9]{1,5}$", "", host).lower()
    assert reply.status == 403 or name == "localhost" or name.rstrip(".") == "localhost" or _is_loopback_literal(name)


def _is_loopback_literal(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


@pytest.mark.parametrize("peer", ["::1", "::ffff:127.0.0.1", "127.8.8.8"])
@pytest.mark.parametrize("host", ["[::1]:8000", "[::1]", "[0:0:0:0:0:0:0:1]:8000", "localhost", "127.0.0.1"])
async def test_this_machine_is_known_by_all_its_addresses(peer, host):
    assert (await House().street(peer).call("PUT", PATH, WORD, headers={"host": host})).status == 200


@pytest.mark.parametrize("peer", ["::", "::ffff:192.0.2.7", "fe80::1", "::ffff:7f00:2:1", "169.254.1.1", "testclient"])
async def test_an_address_that_only_looks_like_it_is_somebody_elses(peer):
    assert (await House().street(peer).call("PUT", PATH, WORD)).status == 403


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


# What a form, an image, a beacon or a fetch without asking first can send (Fetch standard, "no-cors").
OF_SIMPLE_REQUESTS = [
    "text/plain",
    "text/plain;application/json",
    "text/plain; charset=application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "",
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@pytest.mark.parametrize("kind", OF_SIMPLE_REQUESTS)
async def test_without_a_token_what_a_form_can_send_changes_nothing(method, path, body, kind):
    house = House()
    house.documents.held["a"] = "before"

    reply = await house.street().call(method, path, body, headers={"content-type": kind})

    assert reply.status == 415
    assert house.documents.held == {"a": "before"}
    assert house.circuits.reports["embedder.primary"].override is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
async def test_what_a_link_or_a_form_can_do_overrides_nothing_and_no_site_is_told_that_it_may(method):
    house = House()
    headers = {"origin": "http://attacker.example", "access-control-request-method": "PUT"}

    reply = await house.street().call(method, PATH, WORD, headers=headers)

    assert reply.status == 405
    assert not [name for name in reply.headers if name.startswith("access-control-")]
    assert house.circuits.reports["embedder.primary"].override is None


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


async def test_where_only_keys_are_set_an_operator_needs_one_and_this_machine():
    house = House(options={"access": Access(api_keys=("key",))})
    keyed = {"authorization": "Bearer key"}

    assert (await house.street().call("PUT", PATH, WORD)).status == 401
    assert (await house.street("192.0.2.7").call("PUT", PATH, WORD, headers=keyed)).status == 403
    assert (await house.street().call("PUT", PATH, WORD, headers=keyed)).status == 200


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", "Bearer\t", "Basic right", "right", "Bearer right right", "Bearer Right", "Bearer r"],
)
@pytest.mark.parametrize("path", ["/v1/circuits", PATH])
async def test_nothing_but_the_whole_secret_opens(given, path):
    house = House(options={"access": Access(admin_token="right", api_keys=("right-key",))})
    method, body = ("PUT", WORD) if path == PATH else ("GET", None)

    reply = await house.street().call(method, path, body, headers={"authorization": given})

    assert reply.status == 401


@pytest.mark.parametrize(
    "path", ["/v1/query", "//v1/query", "/v1//query", "/V1/query", "/v1/query/", "/v1/../v1/query"]
)
async def test_no_spelling_of_a_path_leads_past_the_keys(path):
    house = House(options={"access": Access(api_keys=("key",))})

    reply = await house.street().call("POST", path, {"question": "How?"})

    assert reply.status in (401, 404)
    assert house.rag.asked == []


def test_secrets_are_compared_in_constant_time_and_all_of_them(monkeypatch):
    compared: list[tuple[bytes, bytes]] = []

    def compare(given: bytes, secret: bytes) -> bool:
        compared.append((given, secret))
        return given == secret

    monkeypatch.setattr(hmac, "compare_digest", compare)

    assert Access(api_keys=("one", "two", "three")).is_known("one")
    assert compared == [(b"one", b"one"), (b"one", b"two"), (b"one", b"three")]


def test_a_secret_of_any_letters_is_compared_by_its_bytes():
    assert Access(admin_token="schlüssel").is_admin("schlüssel".encode().decode("latin-1"))


@pytest.mark.parametrize("secrets", [{"admin_token": ""}, {"api_keys": ("key", "")}])
def test_an_empty_secret_that_would_fit_everybody_is_refused(secrets):
    with pytest.raises(ConfigurationError, match="empty"):
        Access(**secrets)


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
