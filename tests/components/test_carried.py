import asyncio

from ha_rag.components.carried import carried, carrying


def test_no_headers_are_propagated_outside_a_block():
    with carrying({"traceparent": "00-ab-cd-01"}):
        assert carried() == {"traceparent": "00-ab-cd-01"}
    assert carried() == {}


def test_only_the_known_headers_are_propagated():
    with carrying({"X-Request-Id": "7", "Authorization": "Bearer sk-1", "Cookie": "a=b"}):
        assert carried() == {"X-Request-Id": "7"}


def test_a_value_that_could_inject_another_header_is_dropped():
    with carrying({"X-Request-Id": "7\r\nX-Evil: 1", "traceparent": "x" * 600}):
        assert carried() == {}


async def test_tasks_do_not_see_each_others_headers():
    seen = {}

    async def ask(name):
        with carrying({"x-request-id": name}):
            await asyncio.sleep(0)
            seen[name] = carried()["x-request-id"]

    await asyncio.gather(ask("a"), ask("b"))
    assert seen == {"a": "a", "b": "b"}
