"""Who may do what: API keys for /v1/*, and the operator's token, or the same machine where there is none.

Without an admin token, operator actions and document changes work from this machine only, and only for what no page of
another site can make a browser send: a JSON content type, a Host that names this machine (no DNS rebinding), and an
Origin, where there is one, that is this very server (no request forged across sites).
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ha_rag.errors import ConfigurationError
from ha_rag.http.bodies import is_json
from ha_rag.http.problems import Problem

ADMIN_VARIABLE = "HA_RAG_ADMIN_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The secrets of this server; neither shows in its repr. Raises ConfigurationError for an empty one."""

    admin_token: str | None = field(default=None, repr=False)
    api_keys: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if "" in (self.admin_token, *self.api_keys):
            raise ConfigurationError("access: an empty token or key would let everybody in")

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
    # Headers are read as Latin-1, so that their bytes can be had again.
    verdicts = [hmac.compare_digest(given.encode("latin-1"), secret.encode()) for secret in secrets]
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
    if not _names_this_machine(request):
        raise _forbidden(f"{elsewhere} other host names than localhost")
    if not _is_same_site(request):
        raise _forbidden(f"{elsewhere} other sites' pages")
    if not is_json(request):
        raise Problem(415, "unsupported_media_type", "send this with Content-Type: application/json")


def _forbidden(message: str) -> Problem:
    return Problem(403, "forbidden", message)


def _comes_from_this_machine(request: Request) -> bool:
    # A proxy on this machine makes everybody look local. Ours names whom it asks for, who must be local too; any other
    # proxy that leaves a trace is taken for one that serves the world.
    peer = request.client.host if request.client else ""
    named = [part.strip() for value in request.headers.getlist("x-forwarded-for") for part in value.split(",")]
    relayed = any(name in LEFT_BY_PROXIES for name in request.headers)
    return not relayed and all(is_loopback(address) for address in [peer, *named])


LEFT_BY_PROXIES = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port",
     "x-forwarded-server", "x-original-forwarded-for", "true-client-ip", "cf-connecting-ip", "fly-client-ip"}
)  # fmt: skip
_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9.-]+))(?::[0-9]{1,5})?")


def _names_this_machine(request: Request) -> bool:
    named = request.headers.getlist("host")
    parts = _HOST.fullmatch(named[0]) if len(named) == 1 else None
    return parts is not None and is_loopback(parts["v6"] or parts["name"])


def _is_same_site(request: Request) -> bool:
    if any(site not in ("none", "same-origin") for site in request.headers.getlist("sec-fetch-site")):
        return False
    host = request.headers.get("host", "").lower()
    return all(origin.lower() in (f"http://{host}", f"https://{host}") for origin in request.headers.getlist("origin"))


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
