"""The remedy that `ha-rag check` names for the error of a component: what the error says, and no more."""

from __future__ import annotations

from ha_rag.errors import (
    ComponentError,
    HaRagError,
    InvalidRequestError,
    MalformedReplyError,
    ServiceError,
    ServiceTimeoutError,
    ThrottledError,
)
from ha_rag.messages import ComponentType

_OF_STATUS = {
    401: "the key is wrong or missing; check api_key_env",
    402: "the service wants to be paid: check the account's credit and billing",
    403: "the key is wrong, or may not use this model; check api_key_env and the account's permissions",
    407: "a proxy on the way requires a login: check HTTPS_PROXY and NO_PROXY",
}


def remedy(error: HaRagError, part: str, url: str) -> str:
    """How to fix it; "" if the error says all there is.

    `part`: the component's circuit. `url`: its address, "" if it has none.
    """
    status = getattr(error, "status", None)
    if status in _OF_STATUS:
        return _OF_STATUS[status]
    if status in (404, 405):
        return (
            "the model or address does not exist; check model, request_model and base_url "
            f"({url}, which usually ends in /v1)"
        )
    if isinstance(error, ThrottledError) or status == 429:
        return "the service limits its calls; try again later, or raise the limit of this key"
    if isinstance(error, ServiceTimeoutError):
        return f"check that {url} is up, reachable from here and not overloaded" if url else ""
    if isinstance(error, InvalidRequestError):
        fields = "encoding_format, send_dimension, " if part.startswith(ComponentType.EMBEDDER) else ""
        return f"if it refuses a field or the model's name, see {fields}request_model and extra_body" if url else ""
    if isinstance(error, MalformedReplyError):
        return f"check model and dimension, and that {url} is the API itself (it usually ends in /v1)" if url else ""
    if isinstance(error, ServiceError) and url:
        return _of_service(status, url)
    return "check model and dimension" if isinstance(error, ComponentError) and url else ""


def _of_service(status: int | None, url: str) -> str:
    if status is None:
        return f"check that {url} is up and reachable from here"
    if status >= 500:
        return f"{url} answers, but fails with {status}: see its own log or status page"
    return f"{url} answers, but refuses with {status}: check base_url and what the message names"
