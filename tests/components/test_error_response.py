import base64
from urllib.parse import quote

import orjson
import pytest

from ha_rag.components.error_response import error_for, not_json
from ha_rag.components.service_config import ServiceConfig
from ha_rag.errors import InvalidRequestError, ServiceError, ThrottledError
from ha_rag.redaction import Redactor
from ha_rag.retry_after import SHORT_PAUSE_S

BODY = b'{"error": {"message": "the key sk-1234 is wrong", "type": "auth"}}'


def refused(status, headers=None, body=BODY, secret="sk-1234"):
    return error_for(status, headers or {}, body, now_ms=0, redactor=Redactor([secret]))


@pytest.mark.parametrize("status", [401, 402, 403, 404, 408, 409, 500, 502, 503, 504, 599])
def test_other_error_statuses_are_service_errors(status):
    error = refused(status)
    assert type(error) is ServiceError
    assert error.status == status


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_rejected_request_is_an_invalid_request(status):
    error = refused(status)
    assert type(error) is InvalidRequestError
    assert error.status == status


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
def test_a_retry_after_makes_the_error_a_throttled_error(status):
    error = refused(status, {"retry-after": "12"})
    assert type(error) is ThrottledError
    assert (error.status, error.retry_after_s) == (status, 12.0)


@pytest.mark.parametrize("status", [500, 503])
def test_without_a_valid_retry_after_the_error_is_a_service_error(status):
    error = refused(status, {"retry-after": "-3"})
    assert type(error) is ServiceError
    assert error.status == status


def test_a_429_without_a_valid_time_asks_for_a_short_pause():
    error = refused(429, {"retry-after": "-3"})
    assert isinstance(error, ThrottledError)
    assert error.retry_after_s == SHORT_PAUSE_S


def test_a_429_that_no_waiting_mends_is_a_service_error():
    assert type(refused(429, body=b'{"error": {"code": "insufficient_quota"}}')) is ServiceError


def test_a_retry_after_with_another_status_is_ignored():
    assert type(refused(404, {"retry-after": "12"})) is ServiceError


def test_a_redirect_is_a_service_error():
    assert "redirect" in str(refused(307, {"location": "http://elsewhere/"}))


def test_the_services_message_is_repeated_without_the_key():
    assert str(refused(401)) == "HTTP 401: the key *** is wrong"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{",
        b"null",
        b'{"error": null}',
        b'{"error": {"message": 5}}',
        b'{"error": {}}',
        b"\xff\xfe",
    ],
)
def test_an_unreadable_message_is_omitted(body):
    assert str(refused(500, body=body)) == "HTTP 500"


def test_a_long_message_is_cut_and_put_on_one_line():
    text = str(refused(500, body=b'{"error": {"message": "a\\nb\\u001b[31m' + b"x" * 9000 + b'"}}'))
    assert len(text) < 300
    assert text.isprintable()


@pytest.mark.parametrize("blanks", [0, 4066, 4095, 5000])
def test_a_repeated_key_is_removed_before_the_message_is_cut(blanks):
    key = "sk-abcdefghijklmnopqrstuvwxyz12"
    said = not_json(b" " * blanks + key.encode(), Redactor([key]))
    assert "sk-" not in said
    assert "abcdef" not in said


KEY = "sk-Abc/12+xyz~4567"
REPEATED = {
    "in upper case": KEY.upper(),
    "percent-encoded": quote(KEY, safe=""),
    "in base64": base64.b64encode(f"user:{KEY}".encode()).decode(),
    "in base64 for URLs": base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("="),
    "escaped for JSON": KEY.replace("/", r"\/"),
    "cut short": KEY[:8] + "...",
}


@pytest.mark.parametrize("way", REPEATED)
@pytest.mark.parametrize("before", ["", "x" * 190])
def test_the_key_is_struck_out_however_a_service_writes_it(way, before):
    said = f"{before}<{REPEATED[way]}>"
    redactor = ServiceConfig(base_url="http://h/v1", api_key=KEY).redactor

    told = [
        str(error_for(401, {}, orjson.dumps({"error": {"message": said}}), now_ms=0, redactor=redactor)),
        not_json(said.encode(), redactor),
    ]

    assert REPEATED[way] not in told[0]
    assert REPEATED[way][:8] not in told[1]
    assert before or all("***" in text for text in told)


def test_the_values_of_other_headers_are_struck_out_too():
    config = ServiceConfig(base_url="http://h/v1", headers={"Authorization": "Token other-secret"})

    assert config.redactor.redacted("other-secret is wrong, Token") == "*** is wrong, Token"
