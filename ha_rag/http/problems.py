"""Error replies: the only place that maps errors to a status and to `{"error": {"type", "message", "param"}}`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import orjson
from starlette.responses import Response

from ha_rag import errors
from ha_rag.harmless import harmless

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Problem(Exception):  # noqa: N818 - a reply, which RFC 9457 calls a problem, and no fault of the program
    """Ends a request with `status`. `kind`: the `type` on the wire; `param`: the invalid field, or None."""

    def __init__(
        self, status: int, kind: str, message: str, *, param: str | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.param = param
        self.headers = headers

    def body(self) -> bytes:
        """The body, as JSON. The message may quote anything, and is shown by whoever reads it."""
        param = None if self.param is None else harmless(self.param)
        message = harmless(self.message, lines=True)
        return orjson.dumps({"error": {"type": self.kind, "message": message, "param": param}})

    def response(self) -> Response:
        """The reply."""
        return Response(self.body(), self.status, dict(self.headers), media_type="application/json")


def retry_after(seconds: float | None) -> dict[str, str]:
    """A Retry-After header in whole seconds, at least 1; no header for None, or for a time that is not finite."""
    return {} if seconds is None or not math.isfinite(seconds) else {"Retry-After": str(max(1, math.ceil(seconds)))}


@dataclass(frozen=True, slots=True)
class _Rule:
    error: type[Exception]
    status: int
    kind: str
    param: str | None = None
    headers: Callable[[BaseException], Mapping[str, str]] = field(default=lambda _: NO_HEADERS)


def _retry_after_of(error: BaseException) -> Mapping[str, str]:
    return retry_after(getattr(error, "retry_after_s", None))


def _retry_in_1_s(_: BaseException) -> Mapping[str, str]:
    return retry_after(1)


# The first matching rule applies, so subclasses come before their bases.
_RULES = (
    _Rule(errors.CircuitOpenError, 503, "circuit_open", headers=_retry_after_of),
    _Rule(errors.UnknownCircuitError, 404, "not_found", param="name"),
    _Rule(errors.ConfigurationError, 422, "invalid_request"),
    _Rule(errors.LedgerError, 503, "shared_state_unavailable", headers=_retry_in_1_s),
    _Rule(errors.ThrottledError, 503, "service_throttled", headers=_retry_after_of),
    _Rule(errors.ServiceTimeoutError, 504, "service_timeout"),
    _Rule(errors.InvalidRequestError, 422, "refused_by_service"),
    _Rule(errors.ComponentError, 502, "service_failed"),
    _Rule(errors.IndexReadOnlyError, 409, "index_read_only"),
    _Rule(errors.IndexBusyError, 409, "index_busy", headers=_retry_in_1_s),
    _Rule(errors.IndexTooNewError, 409, "index_too_new"),
    _Rule(errors.IndexDiskFullError, 507, "disk_full"),
    _Rule(errors.IndexStoreError, 503, "index_unavailable", headers=_retry_in_1_s),
    _Rule(errors.UnreadableDocumentError, 422, "unreadable_document", param="document"),
    _Rule(errors.UnknownDocumentError, 404, "not_found", param="document"),
)


def problem_of(error: BaseException) -> Problem:
    """The reply to `error`. An unexpected error is a 500 without details; those are in the log."""
    if isinstance(error, Problem):
        return error
    for rule in _RULES:
        if isinstance(error, rule.error):
            return Problem(rule.status, rule.kind, str(error), param=rule.param, headers=rule.headers(error))
    return Problem(500, "internal", "internal error; see the replica's log for this request's X-Request-Id")


def not_found(message: str, param: str | None = None) -> Problem:
    """404."""
    return Problem(404, "not_found", message, param=param)


def invalid(message: str, param: str | None = None) -> Problem:
    """422: well-formed, but invalid."""
    return Problem(422, "invalid_request", message, param=param)
