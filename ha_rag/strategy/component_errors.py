"""What an exception of a component's HTTP client says about its service."""

from __future__ import annotations

from ha_rag.breaker.http_clients import answer_of, error_verdict
from ha_rag.breaker.verdict import FAILED, INVALID, Verdict
from ha_rag.errors import ComponentError

REFUSES_THE_QUESTION = frozenset({400, 413, 422})


def classify_component(error: BaseException) -> Verdict | None:
    """A failure if only the component's own address or model can be wrong, else None: the default decides.

    They are the same for every question: a 404 or an invalid URL, which elsewhere refuses one request, refuses all.
    """
    if isinstance(error, ComponentError) or error_verdict(error) is not INVALID:
        return None
    return None if answer_of(error)[0] in REFUSES_THE_QUESTION else FAILED
