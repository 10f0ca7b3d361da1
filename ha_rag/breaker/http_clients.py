"""What an HTTP client's exception or response says about the service, without importing the client's library.

    an exception that carries an HTTP response     its status (aiohttp, httpx, requests, urllib, and SDKs built on them)
    a client's timeout                             a timeout, even if it is no TimeoutError (httpx, requests, urllib)
    a request that the client refused to send      nothing: the URL or a header is invalid
    a response that was returned, not raised       its status

A status below 400 in an exception (a redirect, a reply that cannot be read) is a failure. A 4xx refuses this one
request, except for 401, 403 and 407 (the credentials of this process) and 408, 421, 425 and 429 (the service itself).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ha_rag.breaker.verdict import FAILED, INVALID, TIMEOUT, Verdict
from ha_rag.clock import SystemClock
from ha_rag.outcomes import Outcome
from ha_rag.retry_after import response_wait_s

NOT_MODIFIED = 304
SERVICE_SAYS = frozenset({401, 403, 407, 408, 421, 425, 429})
"""4xx statuses that count against the service: every request would get them."""

RESPONSES = frozenset(
    {
        ("aiohttp", "ClientResponse"),
        ("http", "HTTPResponse"),
        ("httpx", "Response"),
        ("httpx2", "Response"),
        ("niquests", "Response"),
        ("requests", "Response"),
        ("urllib3", "BaseHTTPResponse"),
    }
)
"""The response classes that are judged when a guarded function returns one: (top-level package, class)."""

ERRORS = {
    ("aiohttp", "RedirectClientError"): FAILED,  # the service redirected to an invalid URL
    ("aiohttp", "InvalidURL"): INVALID,
    ("aiohttp", "NonHttpUrlClientError"): INVALID,
    **{
        (package, name): verdict
        for package in ("httpx", "httpx2")
        for name, verdict in (
            ("TimeoutException", TIMEOUT), ("InvalidURL", INVALID), ("UnsupportedProtocol", INVALID),
            ("LocalProtocolError", INVALID),
        )
    },
    **{
        (package, name): verdict
        for package in ("requests", "niquests")
        for name, verdict in (
            ("Timeout", TIMEOUT), ("InvalidURL", INVALID), ("MissingSchema", INVALID), ("InvalidSchema", INVALID),
            ("InvalidHeader", INVALID),
        )
    },
    ("urllib3", "TimeoutError"): TIMEOUT,
    ("http", "InvalidURL"): INVALID,
}  # fmt: skip
"""Exceptions without a response: (top-level package, class) -> verdict. The first entry that fits applies."""


def error_verdict(error: BaseException) -> Verdict | None:
    """The verdict on a client's exception; None if it is not one that is known here."""
    status, headers = answer_of(error)
    if status is not None:
        return status_verdict(status, headers)
    known = _names(type(error)) & ERRORS.keys()
    if known:
        return next(verdict for name, verdict in ERRORS.items() if name in known)
    if ("urllib", "URLError") in _names(type(error)):
        return TIMEOUT if isinstance(getattr(error, "reason", None), TimeoutError) else None
    return None


def is_response(kind: type) -> bool:
    """Whether `kind` is the response class of a known client, or derives from one."""
    return not RESPONSES.isdisjoint(_names(kind))


def response_verdict(response: Any) -> Verdict | None:
    """The verdict on a returned response; None if its status is below 400."""
    status, headers = _status(response), getattr(response, "headers", None)
    return None if status is None or status < 400 else status_verdict(status, headers)


def status_verdict(status: int, headers: Mapping[str, str] | None) -> Verdict:
    """The verdict on a response that is an error to the client."""
    if status == NOT_MODIFIED:
        return Verdict(Outcome.OK)
    if headers is not None:
        wait_s = response_wait_s(status, _any_case(headers), SystemClock.unix_ms())
        if wait_s is not None:
            return Verdict(Outcome.THROTTLED, wait_s)
    return INVALID if 400 <= status < 500 and status not in SERVICE_SAYS else FAILED


def answer_of(error: BaseException) -> tuple[int | None, Mapping[str, str] | None]:
    """Status and headers of the response that an error carries, its own or those of `error.response`; else None."""
    for carrier in (error, getattr(error, "response", None)):
        # An HTTP answer has both. A status alone may be anything, such as that of a job or a process. Responses are
        # compared with None because the response of an error is false in `requests`.
        if carrier is not None and hasattr(carrier, "headers") and (status := _status(carrier)) is not None:
            return status, carrier.headers
    return None, None


def _status(carrier: object) -> int | None:
    for name in ("status", "status_code"):
        status = getattr(carrier, name, None)
        if isinstance(status, int) and 100 <= status < 600:
            return int(status)
    return None


def _names(kind: type) -> set[tuple[str, str]]:
    """A class and its bases, each as (top-level package, class)."""
    return {(base.__module__.partition(".")[0], base.__name__) for base in kind.__mro__}


def _any_case(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Headers whose names may be written in any case; clients' own classes already are."""
    return {name.lower(): text for name, text in headers.items()} if type(headers) is dict else headers
