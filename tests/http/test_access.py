"""Authorization of changes: the operator token, or a same-site request from this machine."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.errors import ConfigurationError
from ha_rag.hosts import is_loopback
from ha_rag.http.access import Access
from tests.http.app_client import StubReplica

OVERRIDE = {"mode": "open", "reason": "maintenance"}
PATH = "/v1/circuits/embedder.primary/override"
ANY_REPLICA = StubReplica()
CHANGES = [
    ("PUT", PATH, OVERRIDE),
    ("DELETE", PATH, None),
    ("POST", "/v1/documents", {"id": "a", "text": "b"}),
    ("DELETE", "/v1/documents/a", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_without_a_token_requests_from_this_machine_are_allowed(method, path, body):
    replica = StubReplica()
    replica.documents.texts["a"] = "b"

    assert (await replica.client().call(method, path, body)).status == 200


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@pytest.mark.parametrize("peer", ["192.0.2.7", "10.0.0.1", "2001:db8::1", ""])
async def test_without_a_token_other_machines_are_refused_with_the_name_of_the_variable(method, path, body, peer):
    reply = await StubReplica().client(peer).call(method, path, body)

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
async def test_requests_from_other_sites_or_through_proxies_are_refused(headers):
    reply = await StubReplica().client().call("PUT", PATH, OVERRIDE, headers=headers)

    assert (reply.status, reply.error[0]) == (403, "forbidden")
    assert "HA_RAG_ADMIN_TOKEN" in reply.error[1]


@pytest.mark.parametrize("header", ["host", "origin", "x-forwarded-for", "sec-fetch-site"])
async def test_every_value_of_a_repeated_header_is_checked(header):
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
        reply = (
            await StubReplica()
            .client()
            .call("PUT", PATH, OVERRIDE, pairs=[(header, first[header]), (header, second[header])])
        )
        assert reply.status == 403


@given(
    st.from_regex(r"[ -~]{0,30}", fullmatch=True)
    | st.from_regex(r"(127|localhost|\[::|::|@|\.|:|[0-9]|a){1,8}", fullmatch=True)
)
def test_only_loopback_names_in_a_host_header_are_accepted(host):
    reply = asyncio.run(ANY_REPLICA.client().call("PUT", PATH, OVERRIDE, headers={"host": host}))

    name = re.sub(r":[0-9]{1,5}$", "", host).lower()
    assert reply.status == 403 or name == "localhost" or name.rstrip(".") == "localhost" or _is_loopback_literal(name)


def _is_loopback_literal(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


@pytest.mark.parametrize("peer", ["::1", "::ffff:127.0.0.1", "127.8.8.8"])
@pytest.mark.parametrize("host", ["[::1]:8000", "[::1]", "[0:0:0:0:0:0:0:1]:8000", "localhost", "127.0.0.1"])
async def test_all_loopback_addresses_are_this_machine(peer, host):
    assert (await StubReplica().client(peer).call("PUT", PATH, OVERRIDE, headers={"host": host})).status == 200


@pytest.mark.parametrize("peer", ["::", "::ffff:192.0.2.7", "fe80::1", "::ffff:7f00:2:1", "169.254.1.1", "testclient"])
async def test_addresses_that_only_resemble_loopback_are_refused(peer):
    assert (await StubReplica().client(peer).call("PUT", PATH, OVERRIDE)).status == 403


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
async def test_requests_of_the_servers_own_page_and_of_the_front_are_accepted(headers):
    assert (await StubReplica().client().call("PUT", PATH, OVERRIDE, headers=headers)).status == 200


# Content types that browsers send across sites without a CORS preflight (Fetch standard, "no-cors").
SIMPLE_TYPES = [
    "text/plain",
    "text/plain;application/json",
    "text/plain; charset=application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "",
]
TAKEN_BESIDE_JSON = {("POST", "/v1/documents", SIMPLE_TYPES[-2]), ("DELETE", "/v1/documents/a", "")}


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@pytest.mark.parametrize("kind", SIMPLE_TYPES)
async def test_without_a_token_form_requests_change_nothing(method, path, body, kind):
    if (method, path, kind) in TAKEN_BESIDE_JSON:
        return
    replica = StubReplica()
    replica.documents.texts["a"] = "before"

    reply = await replica.client().call(method, path, body, headers={"content-type": kind})

    assert reply.status == 415
    assert replica.documents.texts == {"a": "before"}
    assert replica.circuits.reports["embedder.primary"].override is None


# What documents are changed and read with, and no preflight request guards (Fetch standard, "CORS-safelisted").
UPLOAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="b.md"\r\n\r\ntext\r\n--x--\r\n'
WITHOUT_PREFLIGHT = [
    ("POST", "/v1/documents", UPLOAD, {"content-type": "multipart/form-data; boundary=x"}),
    ("POST", "/v1/documents", UPLOAD, {"content-type": "MULTIPART/Form-Data;boundary=x"}),
    ("DELETE", "/v1/documents/a", None, {"content-type": ""}),
    ("GET", "/v1/documents", None, {"content-type": ""}),
    ("HEAD", "/v1/documents", None, {"content-type": ""}),
    ("GET", "/v1/documents/a", None, {"content-type": ""}),
    ("GET", "/v1/documents/a", None, {}),
]
ADMITTED = [
    {},
    {"origin": "http://127.0.0.1:8000"},
    {"origin": "HTTP://127.0.0.1:8000"},
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"},
    {"host": "localhost:8000", "origin": "http://localhost:8000"},
]
REFUSED = [
    {"origin": "http://attacker.example"},
    {"origin": "https://attacker.example", "sec-fetch-site": "cross-site"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:8001"},
    {"origin": "http://localhost:8000"},
    {"origin": "file://"},
    {"origin": " "},
    {"origin": "http://127.0.0.1:8000, http://attacker.example"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "Same-Origin"},
    {"sec-fetch-site": "unheard-of"},
    {"sec-fetch-site": "same-origin", "origin": "http://attacker.example"},
    {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8000"},
    {"host": "attacker.example:8000", "origin": "http://attacker.example:8000", "sec-fetch-site": "same-origin"},
    {"x-forwarded-for": "192.0.2.7"},
    {"via": "1.1 proxy"},
]


@pytest.mark.parametrize(("method", "path", "body", "sent"), WITHOUT_PREFLIGHT)
@pytest.mark.parametrize("headers", ADMITTED)
async def test_without_a_token_documents_are_open_to_this_servers_pages_and_to_programs(
    method, path, body, sent, headers
):
    replica = StubReplica()
    replica.documents.texts["a"] = "before"

    assert (await replica.client().call(method, path, body, headers={**sent, **headers})).status == 200


@pytest.mark.parametrize(("method", "path", "body", "sent"), WITHOUT_PREFLIGHT)
@pytest.mark.parametrize("headers", REFUSED)
async def test_without_a_token_documents_are_closed_to_pages_of_other_sites(method, path, body, sent, headers):
    replica = StubReplica()
    replica.documents.texts["a"] = "before"

    reply = await replica.client().call(method, path, body, headers={**sent, **headers})

    assert reply.status == 403
    assert b"before" not in reply.body
    assert not [name for name in reply.headers if name.startswith("access-control-")]
    assert replica.documents.texts == {"a": "before"}
    assert replica.documents.files == []


@pytest.mark.parametrize(("method", "path", "body", "sent"), WITHOUT_PREFLIGHT)
async def test_without_a_token_documents_are_closed_to_other_machines(method, path, body, sent):
    replica = StubReplica()
    replica.documents.texts["a"] = "before"

    reply = await replica.client("192.0.2.7").call(method, path, body, headers=sent)

    assert (reply.status, replica.documents.texts) == (403, {"a": "before"})


@pytest.mark.parametrize(("method", "path", "body", "sent"), WITHOUT_PREFLIGHT)
async def test_with_a_token_documents_need_it_whoever_asks(method, path, body, sent):
    replica = StubReplica(options={"access": Access(admin_token="right", api_keys=("key",))})
    replica.documents.texts["a"] = "before"
    elsewhere = {"host": "rag.example", "origin": "https://rag.example"}

    for token in ("", "Bearer wrong", "Bearer key"):
        refused = await replica.client().call(method, path, body, headers={**sent, "authorization": token})
        assert refused.status == 401
    assert replica.documents.texts == {"a": "before"}
    admitted = {**sent, **elsewhere, "authorization": "Bearer right"}
    assert (await replica.client("192.0.2.7").call(method, path, body, headers=admitted)).status == 200


@pytest.mark.parametrize(
    "path", ["/v1/documents/a", "/v1/documents/a/override", "/v1/documents//a", "/v1/documents/../documents/a"]
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_no_variant_of_a_documents_path_bypasses_its_guard(method, path):
    replica = StubReplica(options={"access": Access(admin_token="right", api_keys=("key",))})
    replica.documents.texts["a"] = "before"

    for headers in ({}, {"authorization": "Bearer key"}):
        reply = await replica.client().call(method, path, headers=headers)
        assert reply.status in (401, 404)
        assert b"before" not in reply.body
    assert replica.documents.texts == {"a": "before"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
async def test_methods_of_links_and_forms_override_nothing_and_get_no_cors_headers(method):
    replica = StubReplica()
    headers = {"origin": "http://attacker.example", "access-control-request-method": "PUT"}

    reply = await replica.client().call(method, PATH, OVERRIDE, headers=headers)

    assert reply.status == 405
    assert not [name for name in reply.headers if name.startswith("access-control-")]
    assert replica.circuits.reports["embedder.primary"].override is None


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_with_a_token_configured_only_the_token_is_accepted(method, path, body):
    replica = StubReplica(options={"access": Access(admin_token="right")})
    replica.documents.texts["a"] = "b"

    assert (await replica.client().call(method, path, body)).status == 401
    wrong = await replica.client().call(method, path, body, headers={"authorization": "Bearer wrong"})
    right = {"authorization": "Bearer right", "host": "rag.example"}

    assert wrong.status == 401
    assert (await replica.client("192.0.2.7").call(method, path, body, headers=right)).status == 200


async def test_an_api_key_is_not_accepted_as_the_operator_token():
    replica = StubReplica(options={"access": Access(admin_token="admin", api_keys=("key",))})

    assert (await replica.client().call("PUT", PATH, OVERRIDE, headers={"authorization": "Bearer key"})).status == 401


async def test_with_keys_only_an_operator_needs_a_key_and_this_machine():
    replica = StubReplica(options={"access": Access(api_keys=("key",))})
    keyed = {"authorization": "Bearer key"}

    assert (await replica.client().call("PUT", PATH, OVERRIDE)).status == 401
    assert (await replica.client("192.0.2.7").call("PUT", PATH, OVERRIDE, headers=keyed)).status == 403
    assert (await replica.client().call("PUT", PATH, OVERRIDE, headers=keyed)).status == 200


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", "Bearer\t", "Basic right", "right", "Bearer right right", "Bearer Right", "Bearer r"],
)
@pytest.mark.parametrize("path", ["/v1/circuits", PATH])
async def test_only_the_exact_secret_is_accepted(given, path):
    replica = StubReplica(options={"access": Access(admin_token="right", api_keys=("right-key",))})
    method, body = ("PUT", OVERRIDE) if path == PATH else ("GET", None)

    reply = await replica.client().call(method, path, body, headers={"authorization": given})

    assert reply.status == 401


@pytest.mark.parametrize(
    "path", ["/v1/query", "//v1/query", "/v1//query", "/V1/query", "/v1/query/", "/v1/../v1/query"]
)
async def test_no_variant_of_a_path_bypasses_the_keys(path):
    replica = StubReplica(options={"access": Access(api_keys=("key",))})

    reply = await replica.client().call("POST", path, {"question": "How?"})

    assert reply.status in (401, 404)
    assert replica.rag.queries == []


def test_all_secrets_are_compared_in_constant_time(monkeypatch):
    compared: list[tuple[bytes, bytes]] = []

    def compare(given: bytes, secret: bytes) -> bool:
        compared.append((given, secret))
        return given == secret

    monkeypatch.setattr(hmac, "compare_digest", compare)

    assert Access(api_keys=("one", "two", "three")).is_known("one")
    assert compared == [(b"one", b"one"), (b"one", b"two"), (b"one", b"three")]


def test_a_non_ascii_secret_is_compared_by_its_bytes():
    assert Access(admin_token="schlüssel").is_admin("schlüssel".encode().decode("latin-1"))


@pytest.mark.parametrize("secrets", [{"admin_token": ""}, {"api_keys": ("key", "")}])
def test_an_empty_secret_is_refused(secrets):
    with pytest.raises(ConfigurationError, match="empty"):
        Access(**secrets)


async def test_secrets_are_not_in_the_repr():
    assert "admin" not in repr(Access(admin_token="admin-1", api_keys=("key-1",)))


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("localhost", True),
        ("LOCALHOST.", True), ("0.0.0.0", False), ("127.0.0.1.example", False), ("2130706433", False), ("", False),
    ],
)  # fmt: skip
def test_is_loopback_accepts_only_loopback_addresses_and_localhost(name, verdict):
    assert is_loopback(name) is verdict
