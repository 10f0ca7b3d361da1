"""ha_rag answers questions over your documents, and keeps answering when the services behind it fail.

The circuit breaker can be used alone: `CircuitRegistry`, `CircuitBreaker`, `CircuitPolicy`. The pipeline is built on
it: `HighAvailabilityRAG` over a `FallbackStrategy`. `__all__` lists every public name. Names are imported when first
used, so a program that guards one call does not load the pipeline. The circuit breaker needs no extra; a name whose
extra is not installed raises an ImportError that says which one it is.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any
from warnings import warn

if TYPE_CHECKING:
    from ha_rag.breaker.breaker import CircuitBreaker
    from ha_rag.breaker.permit import Permit, Refusal
    from ha_rag.breaker.registry import CircuitRegistry
    from ha_rag.breaker.report import CircuitReport, FleetReport
    from ha_rag.breaker.verdict import Verdict
    from ha_rag.circuit.policy import CircuitPolicy
    from ha_rag.circuit.state import CircuitState, OverrideMode
    from ha_rag.components.embedders.cached import CachedEmbedder
    from ha_rag.components.embedders.scripted import PrimaryEmbedder, SecondaryEmbedder
    from ha_rag.components.generators.scripted import FallbackGenerator, PrimaryGenerator
    from ha_rag.components.retrievers import PrimaryRetriever, ReducedRetriever
    from ha_rag.components.script import Script
    from ha_rag.deprecated import DeadlineExceededError as DeadlineExceededError
    from ha_rag.errors import (
        CircuitOpenError,
        ComponentError,
        ConfigurationError,
        HaRagError,
        InvalidRequestError,
        MalformedReplyError,
        MisuseError,
        ServiceError,
        ServiceTimeoutError,
        ThrottledError,
        UnknownCircuitError,
    )
    from ha_rag.interfaces import Embedder, Generator, Reranker, Retriever, StreamingGenerator
    from ha_rag.messages import (
        Answer,
        Attempt,
        Citation,
        ComponentType,
        Embedding,
        Generation,
        Passage,
        Space,
        StreamEnding,
        TokenUsage,
    )
    from ha_rag.outcomes import Outcome
    from ha_rag.strategy.status import ComponentStatus
    from ha_rag.strategy.strategy import FallbackStrategy
    from ha_rag.strategy.tier import Tier
    from ha_rag.system import HighAvailabilityRAG

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Attempt",
    "CachedEmbedder",
    "CircuitBreaker",
    "CircuitOpenError",
    "CircuitPolicy",
    "CircuitRegistry",
    "CircuitReport",
    "CircuitState",
    "Citation",
    "ComponentError",
    "ComponentStatus",
    "ComponentType",
    "ConfigurationError",
    "Embedder",
    "Embedding",
    "FallbackGenerator",
    "FallbackStrategy",
    "FleetReport",
    "Generation",
    "Generator",
    "HaRagError",
    "HighAvailabilityRAG",
    "InvalidRequestError",
    "MalformedReplyError",
    "MisuseError",
    "Outcome",
    "OverrideMode",
    "Passage",
    "Permit",
    "PrimaryEmbedder",
    "PrimaryGenerator",
    "PrimaryRetriever",
    "ReducedRetriever",
    "Refusal",
    "Reranker",
    "Retriever",
    "Script",
    "SecondaryEmbedder",
    "ServiceError",
    "ServiceTimeoutError",
    "Space",
    "StreamEnding",
    "StreamingGenerator",
    "ThrottledError",
    "Tier",
    "TokenUsage",
    "UnknownCircuitError",
    "Verdict",
]

_HOMES = {
    "ha_rag.breaker.breaker": ("CircuitBreaker",),
    "ha_rag.breaker.permit": ("Permit", "Refusal"),
    "ha_rag.breaker.registry": ("CircuitRegistry",),
    "ha_rag.breaker.report": ("CircuitReport", "FleetReport"),
    "ha_rag.breaker.verdict": ("Verdict",),
    "ha_rag.circuit.policy": ("CircuitPolicy",),
    "ha_rag.circuit.state": ("CircuitState", "OverrideMode"),
    "ha_rag.components.embedders.cached": ("CachedEmbedder",),
    "ha_rag.components.embedders.scripted": ("PrimaryEmbedder", "SecondaryEmbedder"),
    "ha_rag.components.generators.scripted": ("FallbackGenerator", "PrimaryGenerator"),
    "ha_rag.interfaces": ("Embedder", "Generator", "Reranker", "Retriever", "StreamingGenerator"),
    "ha_rag.components.retrievers": ("PrimaryRetriever", "ReducedRetriever"),
    "ha_rag.components.script": ("Script",),
    "ha_rag.errors": (
        "CircuitOpenError", "ComponentError", "ConfigurationError", "HaRagError", "InvalidRequestError",
        "MalformedReplyError", "MisuseError", "ServiceError", "ServiceTimeoutError", "ThrottledError",
        "UnknownCircuitError",
    ),
    "ha_rag.messages": (
        "Answer", "Attempt", "Citation", "ComponentType", "Embedding", "Generation", "Passage", "Space",
        "StreamEnding", "TokenUsage",
    ),
    "ha_rag.outcomes": ("Outcome",),
    "ha_rag.strategy.status": ("ComponentStatus",),
    "ha_rag.strategy.strategy": ("FallbackStrategy",),
    "ha_rag.strategy.tier": ("Tier",),
    "ha_rag.system": ("HighAvailabilityRAG",),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_DEPRECATED = ("DeadlineExceededError",)


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used (PEP 562)."""
    home = _HOME_OF.get(name)
    if home is None and name in _DEPRECATED:
        return _deprecated(name)
    if home is None:
        raise AttributeError(f"module 'ha_rag' has no attribute {name!r}")
    value = globals()[name] = getattr(_imported(home, name), name)
    return value


def _imported(home: str, name: str) -> ModuleType:
    try:
        return import_module(home)
    except ModuleNotFoundError as error:
        from ha_rag.extras import missing_extra

        raise missing_extra(f"ha_rag.{name}", error) or error from None


def _deprecated(name: str) -> Any:
    module = import_module("ha_rag.deprecated")
    warn(f"ha_rag.{name} is deprecated: {module.REASONS[name]}", DeprecationWarning, stacklevel=3)
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
