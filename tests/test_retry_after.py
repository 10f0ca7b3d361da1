import pytest

from ha_rag.retry_after import LONGEST_WAIT_S, hinted_wait_s, requested_wait_s, response_wait_s

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


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2s", 2.0),
        ("120ms", 0.12),
        ("1m30s", 90.0),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("30 seconds", 30.0),
        ("1 minute", 60.0),
        ("2 hours", 7200.0),
        ("1d", LONGEST_WAIT_S),
        ("1760000030", 30.0),
        ("1760000030000", 30.0),
        ("2025-10-09T08:53:30Z", 10.0),
        ("2025-10-09T10:53:30+02:00", 10.0),
    ],
)
def test_a_time_may_have_units_or_be_a_unix_time_or_a_date(value, seconds):
    assert rest(retry_after=value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["2x", "s", "2 s ago", "-2s", "1760000000", "2s;q=1", "0s"])
def test_what_is_no_time_is_ignored(value):
    assert rest(retry_after=value) is None


def test_an_invalid_time_leaves_the_next_header():
    assert rest(retry_after_ms="0", retry_after="5") == 5.0
    assert rest(retry_after_ms="soon", x_ms_retry_after_ms="500") == 0.5


def reset(**headers):
    return response_wait_s(429, {name.replace("_", "-"): value for name, value in headers.items()}, NOW_MS)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x_ratelimit_reset": "7"}, 7.0),
        ({"x_ratelimit_reset_after": "2.5"}, 2.5),
        ({"ratelimit_reset": "7"}, 7.0),
        ({"X_RateLimit_Reset_Requests": "7s"}, 7.0),
        ({"x_ratelimit_reset_requests": "9s", "x_ratelimit_reset_tokens": "7s"}, 7.0),
        (
            {
                "x_ratelimit_reset_requests": "1s",
                "x_ratelimit_remaining_requests": "3",
                "x_ratelimit_reset_tokens": "7s",
                "x_ratelimit_remaining_tokens": "0",
            },
            7.0,
        ),
        (
            {
                "anthropic_ratelimit_requests_reset": "2025-10-09T08:53:27Z",
                "anthropic_ratelimit_requests_remaining": "0",
                "anthropic_ratelimit_input_tokens_reset": "2025-10-09T08:53:21Z",
                "anthropic_ratelimit_input_tokens_remaining": "9",
            },
            7.0,
        ),
        ({"ratelimit": '"burst";r=0;t=7, "daily";r=9;t=2'}, 7.0),
        ({"ratelimit": "limit=10, remaining=0, reset=7"}, 7.0),
        ({"retry_after": "7", "x_ratelimit_reset": "9"}, 7.0),
        ({"x_ratelimit_reset": "0"}, None),
        ({"x_ratelimit_limit": "7"}, None),
    ],
    ids=str,
)
def test_the_reset_of_a_rate_limit_is_a_time(headers, seconds):
    assert reset(**headers) == seconds


@pytest.mark.parametrize(
    ("status", "seconds"), [(429, 7.0), (500, 7.0), (599, 7.0), (200, None), (404, None), (600, None)]
)
def test_the_header_counts_with_429_and_with_any_5xx(status, seconds):
    assert response_wait_s(status, {"retry-after": "7"}, NOW_MS) == seconds


@pytest.mark.parametrize("status", [500, 502, 503])
def test_resets_count_with_429_only(status):
    assert response_wait_s(status, {"x-ratelimit-reset": "7"}, NOW_MS) is None


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ('{"error": {"message": "Rate limit reached. Please try again in 20s. Visit ..."}}', 20.0),
        ("Please try again in 6m0s.", 360.0),
        ("Please retry after 26 seconds.", 26.0),
        ("Your quota will reset after 373.5ms.", 0.3735),
        ("Requests are available again in 1 hour", 3600.0),
        ("wait 30 seconds, please", 30.0),
        ('{"details": [{"@type": "RetryInfo", "retryDelay": "34.5s"}]}', 34.5),
        ('{"retry_after": 5}', 5.0),
        ('{"retryAfter": "5"}', 5.0),
        ('{"retry_after_ms": 500}', 0.5),
        ('{"metadata": {"headers": {"X-RateLimit-Reset": "1760000007000"}}}', 7.0),
        ("Limit 3 per min. Try again later.", None),
        ("Error 500, retry", None),
        ("reset after -5s", None),
        ("retry 3 models", None),
        ('{"retry_after": null}', None),
        ("", None),
    ],
)
def test_the_body_may_give_a_time(body, seconds):
    assert hinted_wait_s(429, body, NOW_MS) == seconds


@pytest.mark.parametrize(("status", "seconds"), [(429, 20.0), (503, 20.0), (529, 20.0), (500, None), (400, None)])
def test_a_hint_counts_with_statuses_that_ask_to_wait(status, seconds):
    assert hinted_wait_s(status, "try again in 20s", NOW_MS) == seconds
