"""GET /v1/events: where a client may go on, and what is no such place."""

from __future__ import annotations

import pytest

NO_PLACE = "is not an event id: use the id of an event you received"


@pytest.mark.parametrize("place", ["now", "1-1", "-1-1@a", "1-1@", "1-1@a b", "٣-1@a", "1" * 17 + "-1@a", "1-1@a\n"])
async def test_a_place_that_nobody_told_is_refused_in_the_form_of_all_errors(street, place):
    reply = await street.call("GET", "/v1/events", query={"after": place})

    assert reply.status == 422
    assert reply.error == ("invalid_request", f"after: {place!r} {NO_PLACE}", "after")


async def test_a_wrong_place_is_refused_beside_a_right_one(street):
    reply = await street.call("GET", "/v1/events", query={"after": "x"}, headers={"last-event-id": "1-1@a"})

    assert (reply.status, reply.error[2]) == (422, "after")


@pytest.mark.parametrize(
    ("query", "headers", "message"),
    [
        ({"fleet": "perhaps"}, {}, "fleet: must be true or false"),
        ({"after": "9" * 301}, {}, "after: must have at most 300 characters"),
        ({}, {"last-event-id": "x"}, f"Last-Event-ID: 'x' {NO_PLACE}"),
    ],
)
async def test_a_wrong_parameter_is_told_by_its_name_and_without_more_of_it(street, query, headers, message):
    reply = await street.call("GET", "/v1/events", query=query, headers=headers)

    assert (reply.status, reply.error[0], reply.error[1]) == (422, "invalid_request", message)
