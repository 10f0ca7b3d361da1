"""Why an answer ended, in the words of OpenAI, whatever a service calls it."""

from __future__ import annotations

from collections.abc import Mapping

from ha_rag.components.error_response import quoted
from ha_rag.errors import InvalidRequestError, ServiceError
from ha_rag.messages import WHOLE
from ha_rag.redaction import NOTHING_KNOWN, Redactor

LENGTH = "length"
STOPS = frozenset(
    {
        "stop", "stopped", "eos", "eos_token", "end", "end_turn", "end_of_turn", "stop_sequence", "stop_token",
        "complete", "completed", "finish", "finished", "finish_reason_stop",
    }
)  # fmt: skip
"""What the model itself ended (OpenAI, TGI, Bedrock, Anthropic, Cohere, Gemini)."""
LENGTHS = frozenset(
    {
        "length",
        "max_tokens",
        "max_length",
        "max_output_tokens",
        "model_length",
        "token_limit",
        "finish_reason_max_tokens",
    }
)
FILTERS = frozenset(
    {
        "content_filter", "content_filtered", "filtered", "safety", "sensitive", "blocklist", "prohibited_content",
        "recitation", "refusal", "guardrail_intervened", "error_toxic", "spii",
    }
)  # fmt: skip
FAILURES = frozenset(
    {
        "error", "failed", "failure", "exception", "abort", "aborted", "cancelled", "canceled", "timeout",
        "network_error", "upstream_error", "engine_error", "server_error", "internal_error", "malformed_response",
    }
)  # fmt: skip
NONE = frozenset({"", "null", "none", "unspecified", "finish_reason_unspecified"})
LONGEST = 60


def finish_of(reason: object, redactor: Redactor = NOTHING_KNOWN) -> str:
    """The finish reason: "stop" for a complete answer, else "length" or the service's own word; "" if it is no end.

    Raises ServiceError if the word names a failure, and InvalidRequestError if a content filter removed the answer.
    """
    if isinstance(reason, Mapping):
        reason = reason.get("type") or reason.get("reason")
    word = reason.strip().lower() if isinstance(reason, str) else ""
    if word in NONE:
        return ""
    if word in STOPS:
        return WHOLE
    if word in LENGTHS:
        return LENGTH
    said = quoted(str(reason), redactor, LONGEST)
    if word in FILTERS:
        raise InvalidRequestError(f"the service's content filter removed the answer ({said})")
    if word in FAILURES or word.endswith("_error"):
        raise ServiceError(f"the service ended the answer with {said!r}")
    return said
