"""What leases leave in Redis, and for how long."""

from __future__ import annotations

import pytest

from ha_rag.outcomes import Outcome
from tests.ledger.bench import RedisBench, terms
from tests.ledger.test_contract import NAME, Verbs


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.FAILED, Outcome.CANCELLED])
async def test_a_returned_lease_is_deleted_when_it_would_have_expired(
    redis_bench: RedisBench, outcome: Outcome
) -> None:
    verbs = Verbs(redis_bench, terms(lease_ms=300))
    await verbs.probing()
    await verbs.settle(outcome)
    key = f"{redis_bench.namespace}:{{{NAME}}}:probes"
    assert await redis_bench.client.zrange(key, 0, -1) == ["0:t1"]
    await redis_bench.advance(300)
    assert not await redis_bench.client.exists(key)
