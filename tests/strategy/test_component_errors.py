"""What an exception of a component's own HTTP client counts as in the pipeline."""

from __future__ import annotations

import httpx
import pytest

from ha_rag import CircuitRegistry, CircuitState, Generation, Tier
from ha_rag.messages import ComponentType
from ha_rag.outcomes import Outcome
from ha_rag.strategy.guard import Breaker


class Unused:
    async def generate(self, question: str, passages: object) -> Generation:
        raise NotImplementedError


def breaker() -> Breaker:
    circuits = CircuitRegistry.connect(replica="r1")
    return Tier("primary", Unused()).guarded(ComponentType.GENERATOR, circuits).breaker


def outcome_of(error: Exception) -> Outcome:
    admission = breaker().admit()
    assert admission.permit is not None
    return admission.permit.raised(error)


def status_error(status: int) -> httpx.HTTPStatusError:
    return httpx.HTTPStatusError("", request=httpx.Request("GET", "http://x"), response=httpx.Response(status))


@pytest.mark.parametrize("status", [401, 403, 404, 405, 410, 500, 503])
def test_a_status_that_every_question_would_get_is_a_failure(status: int) -> None:
    assert outcome_of(status_error(status)) is Outcome.FAILED


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_status_that_refuses_the_question_counts_nothing(status: int) -> None:
    assert outcome_of(status_error(status)) is Outcome.INVALID


@pytest.mark.parametrize("error", [httpx.UnsupportedProtocol("ftp"), httpx.InvalidURL("http://")])
def test_a_components_invalid_url_is_a_failure(error: Exception) -> None:
    assert outcome_of(error) is Outcome.FAILED


def test_the_same_tier_may_be_guarded_again() -> None:
    circuits = CircuitRegistry.connect(replica="r1")
    tier = Tier("primary", Unused())
    first, second = (tier.guarded(ComponentType.GENERATOR, circuits) for _ in range(2))
    assert first.breaker is second.breaker
    assert first.breaker.state is CircuitState.CLOSED
