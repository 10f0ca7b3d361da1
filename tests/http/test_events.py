"""GET /v1/events: validation of its parameters."""

from __future__ import annotations

import pytest

INVALID_ID = "is not an event id: use the id of an event you received"


@pytest.mark.parametrize("event_id", ["now", "1-1", "-1-1@a", "1-1@", "1-1@a b", "٣-1@a", "1" * 17 + "-1@a", "1-1@a\n"])
async def test_an_invalid_event_id_is_refused(client, event_id):
    reply = await client.call("GET", "/v1/events", query={"after": event_id})

    assert reply.status == 422
    assert reply.error == ("invalid_request", f"after: {event_id!r} {INVALID_ID}", "after")


async def test_an_invalid_id_is_refused_even_next_to_a_valid_one(client):
    reply = await client.call("GET", "/v1/events", query={"after": "x"}, headers={"last-event-id": "1-1@a"})

    assert (reply.status, reply.error[2]) == (422, "after")


@pytest.mark.parametrize(
    ("query", "headers", "message"),
    [
        ({"fleet": "perhaps"}, {}, "fleet: must be true or false"),
        ({"after": "9" * 1641}, {}, "after: must have at most 1,640 characters"),
        ({}, {"last-event-id": "x"}, f"Last-Event-ID: 'x' {INVALID_ID}"),
    ],
)
async def test_an_invalid_parameter_is_reported_by_name(client, query, headers, message):
    reply = await client.call("GET", "/v1/events", query=query, headers=headers)

    assert (reply.status, reply.error[0], reply.error[1]) == (422, "invalid_request", message)
