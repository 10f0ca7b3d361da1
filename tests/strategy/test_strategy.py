"""FallbackStrategy: names and circuits of tiers, and validation."""

from __future__ import annotations

from typing import Any

import pytest

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.errors import ConfigurationError
from ha_rag.messages import ComponentType
from ha_rag.strategy import FallbackStrategy, Tier
from tests.strategy.scripted import Scripted, ScriptedCircuits


class NamedByItsClass(Scripted):
    name = "hashing"


class Greedy(Scripted):
    def __init__(self, candidates: object) -> None:
        super().__init__()
        self.candidates = candidates


def names(strategy: FallbackStrategy, kind: ComponentType = ComponentType.EMBEDDER) -> list[str]:
    return [tier.name for tier in strategy.fallback_chains[kind]]


def test_plain_components_are_named_by_their_position() -> None:
    assert names(FallbackStrategy(embedders=[Scripted() for _ in range(5)])) == [
        "primary",
        "secondary",
        "tertiary",
        "tier4",
        "tier5",
    ]


def test_a_components_own_name_is_used_unless_it_is_taken() -> None:
    strategy = FallbackStrategy(embedders=[NamedByItsClass(), NamedByItsClass(), Scripted()])
    assert names(strategy) == ["hashing", "secondary", "tertiary"]


def test_an_explicit_name_is_kept() -> None:
    strategy = FallbackStrategy(generators=[Scripted(), Tier("extractive", Scripted(), timeout_s=2.0)])
    assert names(strategy, ComponentType.GENERATOR) == ["primary", "extractive"]


def test_circuits_are_named_after_type_and_tier_and_get_policy_scope_and_timeout() -> None:
    policy = CircuitPolicy(min_samples=2)
    in_process = Scripted()
    in_process.in_process = True  # type: ignore[attr-defined]  # marks a component that calls no service
    strategy = FallbackStrategy(
        embedders=[Tier("primary", Scripted(), timeout_s=0.5, policy=policy), in_process],
        retrievers=[Tier("disk", Scripted(), scope="replica")],
        generators=[Scripted()],
    )
    circuits = ScriptedCircuits()
    strategy.guarded(circuits)
    assert [(b.name, b.scope, b.timeout_s) for b in circuits.breakers.values()] == [
        ("embedder.primary", "fleet", 0.5),
        ("embedder.secondary", "replica", 1.0),
        ("retriever.disk", "replica", 1.0),
        ("generator.primary", "fleet", 8.0),
    ]
    assert circuits.policies["embedder.primary"] is policy


def test_the_last_resort_has_the_first_embedders_dimension() -> None:
    strategy = FallbackStrategy(embedders=[Scripted(dimension=7), Scripted(dimension=3)])
    assert strategy.guarded(ScriptedCircuits()).embedders.last.dimension == 7


def test_without_tiers_the_last_resorts_serve() -> None:
    pipeline = FallbackStrategy().guarded(ScriptedCircuits())
    assert pipeline.choices.preferred == {"embedder": "zero", "retriever": "none", "generator": "plain"}


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"embedders": [Tier("a", Scripted()), Tier("a", Scripted())]}, "'a': used twice"),
        ({"embedders": [Tier("zero", Scripted())]}, "'zero': reserved for the last resort"),
        ({"retrievers": [object()]}, "object has no method `retrieve`"),
        ({"rerankers": [object()]}, "object has no method `rerank`"),
        ({"rerankers": [Tier("none", Scripted())]}, "'none': reserved for the last resort"),
        ({"rerankers": [Greedy(0)]}, "`candidates` = 0: must be a whole number above 0"),
        ({"rerankers": [Greedy("all")]}, "`candidates` = 'all': must be a whole number above 0"),
        ({"generators": ["gpt-4o"]}, "str has no method `generate`"),
        ({"embedders": [Scripted(dimension=0)]}, "`dimension` must be"),
        ({"choose": "best"}, "choose = 'best': must be"),
    ],
)
def test_an_invalid_strategy_is_refused(arguments: dict[str, Any], rule: str) -> None:
    with pytest.raises(ConfigurationError, match=rule):
        FallbackStrategy(**arguments)


@pytest.mark.parametrize("name", ["", "a b", "{a}", "a:b", "-a", "x" * 65, None, 5])
def test_an_invalid_tier_name_is_refused(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="name = "):
        Tier(name, Scripted())


@pytest.mark.parametrize("timeout_s", [0, -1, float("inf"), float("nan"), True, "1"])
def test_an_invalid_tier_timeout_is_refused(timeout_s: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout_s = "):
        Tier("a", Scripted(), timeout_s=timeout_s)


def test_an_unknown_scope_is_refused() -> None:
    scope: Any = "world"
    with pytest.raises(ConfigurationError, match="scope = 'world'"):
        Tier("a", Scripted(), scope=scope)
