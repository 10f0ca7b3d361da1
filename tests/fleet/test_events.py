"""GET /v1/events over a whole fleet: each transition once, with who, why and counts, wherever it is heard."""

from __future__ import annotations

import pytest

from tests.fleet.processes import Fleet
from tests.fleet.reader import CIRCUIT, Reader
from tests.waiting import until

pytestmark = pytest.mark.fleet

OPENED, TRIED, CLOSED = ("closed", "open"), ("open", "half_open"), ("half_open", "closed")


async def test_each_transition_is_told_once_by_every_replica_with_who_why_and_counts(fleet: Fleet) -> None:
    one, two, three = fleet.replicas
    async with Reader(one) as a, Reader(two) as b, Reader(three) as c:
        await fleet.provider.fail("embeddings")
        for _ in range(3):
            await two.ask()
        await until(lambda: all(reader.changes == [OPENED] for reader in (a, b, c)))
        await fleet.provider.mend()
        await fleet.until_all("closed", CIRCUIT, within_s=15, ask=True)
        await until(lambda: all(reader.changes == [OPENED, TRIED, CLOSED] for reader in (a, b, c)))

    assert a.ids == b.ids == c.ids
    assert len(set(a.ids)) == len(a.ids)
    opening = a.heard[0]
    assert (opening["by"], opening["failed"]) == ("rag-2", opening["samples"])
    assert "failed" in opening["reason"]


async def test_who_comes_back_to_another_replica_hears_what_was_missed_and_nothing_twice(fleet: Fleet) -> None:
    one, two, three = fleet.replicas
    async with Reader(three) as witness:
        async with Reader(one) as before:
            await fleet.provider.fail("embeddings")
            for _ in range(3):
                await two.ask()
            await until(lambda: before.changes == [OPENED])
        await fleet.provider.mend()
        await fleet.until_all("closed", CIRCUIT, within_s=15, ask=True)
        await until(lambda: witness.changes == [OPENED, TRIED, CLOSED])

        async with Reader(two, last_id=before.ids[-1]) as after:
            await until(lambda: after.changes == [TRIED, CLOSED])
            await one.override(CIRCUIT)  # whatever was told twice would have come before it
            await until(lambda: [e["kind"] for e in witness.heard[-2:]] == ["override", "override"])
            await until(lambda: after.ids[-1:] == witness.ids[-1:])

    assert before.ids + after.ids == witness.ids
