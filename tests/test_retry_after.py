import pytest

from ha_rag.retry_after import LONGEST_WAIT_S, requested_wait_s

NOW_MS = 1_760_000_000_000  # Thu, 09 Oct 2025 08:53:20 GMT


def rest(**headers):
    return requested_wait_s({name.replace("_", "-"): value for name, value in headers.items()}, NOW_MS)


def test_seconds_are_read():
    assert rest(retry_after="7") == 7.0
    assert rest(retry_after="0.5") == 0.5


def test_milliseconds_take_precedence_over_seconds():
    assert rest(retry_after_ms="250", retry_after="1") == 0.25
    assert rest(x_ms_retry_after_ms="1500") == 1.5


def test_a_date_is_relative_to_the_date_of_the_response():
    assert rest(retry_after="Wed, 01 Jan 2020 00:00:30 GMT", date="Wed, 01 Jan 2020 00:00:00 GMT") == 30.0


def test_a_date_is_relative_to_now_if_the_response_has_no_date():
    assert rest(retry_after="Thu, 09 Oct 2025 08:53:30 GMT") == 10.0


@pytest.mark.parametrize("value", ["-5", "0", "nan", "soon", "", "Wed, 01 Jan 2020 00:00:00 GMT", "Wed, 99 Foo 2020"])
def test_an_invalid_time_is_ignored(value):
    assert rest(retry_after=value) is None


@pytest.mark.parametrize("value", ["1e300", "inf", "99999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_long_time_is_capped_at_a_day(value):
    assert rest(retry_after=value) == LONGEST_WAIT_S


def test_without_a_header_there_is_no_time():
    assert rest() is None
