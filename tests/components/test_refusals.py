import pytest

from ha_rag.components.refusals import no_json, refusal
from ha_rag.errors import InvalidRequestError, ServiceError, ThrottledError

BODY = b'{"error": {"message": "the key sk-123 is wrong", "type": "auth"}}'


def refused(status, headers=None, body=BODY, secret="sk-123"):
    return refusal(status, headers or {}, body, now_ms=0, secret=secret)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 408, 409, 500, 502, 503, 504, 599])
def test_a_broken_or_forbidding_service_is_a_service_error(status):
    error = refused(status)
    assert type(error) is ServiceError
    assert error.status == status


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refusal_of_this_very_request_is_no_fault_of_the_service(status):
    error = refused(status)
    assert type(error) is InvalidRequestError
    assert error.status == status


@pytest.mark.parametrize("status", [429, 503])
def test_a_service_that_names_its_rest_is_throttling(status):
    error = refused(status, {"retry-after": "12"})
    assert type(error) is ThrottledError
    assert (error.status, error.retry_after_s) == (status, 12.0)


@pytest.mark.parametrize("status", [429, 503])
def test_a_service_that_names_no_usable_rest_has_failed(status):
    error = refused(status, {"retry-after": "-3"})
    assert type(error) is ServiceError
    assert error.status == status


@pytest.mark.parametrize("status", [500, 404])
def test_a_rest_named_beside_another_status_is_no_throttling(status):
    assert type(refused(status, {"retry-after": "12"})) is ServiceError


def test_a_redirect_is_told_and_not_followed():
    assert "redirect" in str(refused(307, {"location": "http://elsewhere/"}))


def test_the_services_message_is_told_without_our_key():
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
def test_an_unreadable_message_is_left_out(body):
    assert str(refused(500, body=body)) == "HTTP 500"


def test_a_long_message_is_cut_and_kept_on_one_line():
    text = str(refused(500, body=b'{"error": {"message": "a\\nb\\u001b[31m' + b"x" * 9000 + b'"}}'))
    assert len(text) < 300
    assert text.isprintable()


@pytest.mark.parametrize("blanks", [0, 4066, 4095, 5000])
def test_a_key_that_is_repeated_is_struck_out_before_anything_is_cut_off(blanks):
    key = "sk-abcdefghijklmnopqrstuvwxyz12"
    said = no_json(b" " * blanks + key.encode(), key)
    assert "sk-" not in said
    assert "abcdef" not in said
