import pytest

from ha_rag.components.error_response import error_for, not_json
from ha_rag.errors import InvalidRequestError, ServiceError, ThrottledError

BODY = b'{"error": {"message": "the key sk-123 is wrong", "type": "auth"}}'


def refused(status, headers=None, body=BODY, secret="sk-123"):
    return error_for(status, headers or {}, body, now_ms=0, secret=secret)


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


@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_makes_the_error_a_throttled_error(status):
    error = refused(status, {"retry-after": "12"})
    assert type(error) is ThrottledError
    assert (error.status, error.retry_after_s) == (status, 12.0)


@pytest.mark.parametrize("status", [429, 503])
def test_without_a_valid_retry_after_the_error_is_a_service_error(status):
    error = refused(status, {"retry-after": "-3"})
    assert type(error) is ServiceError
    assert error.status == status


@pytest.mark.parametrize("status", [500, 404])
def test_a_retry_after_with_another_status_is_ignored(status):
    assert type(refused(status, {"retry-after": "12"})) is ServiceError


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
    said = not_json(b" " * blanks + key.encode(), key)
    assert "sk-" not in said
    assert "abcdef" not in said
