"""Who may do what: API keys for /v1/*, and the operator's token, or the same machine where there is none.

Without an admin token, operator actions and document changes work from this machine only, and only for what no page of
another site can make a browser send: a JSON content type, a Host that names this machine (no DNS rebinding), and an
Origin, where there is one, that is this very server (no request forged across sites).
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ha_rag.http.bodies import is_json
from ha_rag.http.problems import Problem

ADMIN_VARIABLE = "HA_RAG_ADMIN_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The secrets of this server; neither shows in its repr."""

    admin_token: str | None = field(default=None, repr=False)
    api_keys: tuple[str, ...] = field(default=(), repr=False)

    def is_admin(self, token: str) -> bool:
        """Whether `token` is the operator's. Takes the same time whatever it is."""
        return self.admin_token is not None and _same(token, [self.admin_token])

    def is_known(self, token: str) -> bool:
        """Whether `token` may use /v1/*."""
        return _same(token, self.api_keys) or self.is_admin(token)

    def admit_operator(self, request: Request) -> None:
        """Raises Problem (401, 403) unless this request may change things."""
        if self.admin_token is None:
            _admit_this_machine(request)
        elif not self.is_admin(_token(request.headers.get("authorization", ""))):
            raise _unauthorized(f"this needs the operator's token ({ADMIN_VARIABLE}), as Authorization: Bearer")


class ApiKeys:
    """The layer that wants a key for /v1/* where keys are configured."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.access.api_keys and scope["path"].startswith("/v1/"):
            given = next((value for key, value in scope["headers"] if key == b"authorization"), b"")
            if not self.access.is_known(_token(given.decode("latin-1"))):
                problem = _unauthorized("this needs an API key, as Authorization: Bearer")
                await problem.response()(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _same(given: str, secrets: Iterable[str]) -> bool:
    # All are compared, so that the time taken tells neither which one fitted nor how far a wrong one did.
    verdicts = [hmac.compare_digest(given.encode(), secret.encode()) for secret in secrets]
    return any(verdicts)


def _token(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _unauthorized(message: str) -> Problem:
    return Problem(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})


def _admit_this_machine(request: Request) -> None:
    elsewhere = (
        f"without an operator's token this works from the same machine only; set {ADMIN_VARIABLE} to allow it from"
    )
    if not _comes_from_this_machine(request):
        raise _forbidden(f"{elsewhere} elsewhere")
    if not is_loopback(_host_name(request.headers.get("host", ""))):
        raise _forbidden(f"{elsewhere} other host names than localhost")
    if not _is_same_site(request):
        raise _forbidden(f"{elsewhere} other sites' pages")
    if not is_json(request):
        raise Problem(415, "unsupported_media_type", "send this with Content-Type: application/json")


def _forbidden(message: str) -> Problem:
    return Problem(403, "forbidden", message)


def _comes_from_this_machine(request: Request) -> bool:
    # A proxy on this machine makes everybody look local, so whoever it names must be local too.
    peer = request.client.host if request.client else ""
    named = [part.strip() for value in request.headers.getlist("x-forwarded-for") for part in value.split(",")]
    return "forwarded" not in request.headers and all(is_loopback(address) for address in [peer, *named])


def _is_same_site(request: Request) -> bool:
    origin, host = request.headers.get("origin"), request.headers.get("host", "").lower()
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    return origin is None or origin.lower() in (f"http://{host}", f"https://{host}")


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_loopback(name: str) -> bool:
    """Whether `name` (an address, or "localhost") is this machine by definition."""
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
