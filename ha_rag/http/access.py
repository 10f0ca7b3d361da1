"""Authorization: API keys for /v1/*, and the operator token for changes.

Without an operator token, operator actions and document changes are allowed from this machine only, and only for
requests that a page of another site cannot make a browser send: a JSON content type, a Host header that names this
machine (against DNS rebinding), and an Origin header, if present, that is this server (against cross-site request
forgery).
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
    """The secrets of this server; its repr shows none of them. Raises ConfigurationError for an empty secret."""

    admin_token: str | None = field(default=None, repr=False)
    api_keys: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if "" in (self.admin_token, *self.api_keys):
            raise ConfigurationError("access: tokens and keys must not be empty")

    def is_admin(self, token: str) -> bool:
        """Whether `token` is the operator token. Compares in constant time."""
        return self.admin_token is not None and _same(token, [self.admin_token])

    def is_known(self, token: str) -> bool:
        """Whether `token` may use /v1/*."""
        return _same(token, self.api_keys) or self.is_admin(token)

    def admit_operator(self, request: Request) -> None:
        """Raises Problem (401, 403, 415) unless this request is allowed to make changes."""
        if self.admin_token is None:
            _admit_local_request(request)
        elif not self.is_admin(_token(request.headers.get("authorization", ""))):
            raise _unauthorized(f"send the operator token ({ADMIN_VARIABLE}) as Authorization: Bearer")


class ApiKeys:
    """Middleware that requires an API key for /v1/* if keys are configured."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.access.api_keys and scope["path"].startswith("/v1/"):
            given = next((value for key, value in scope["headers"] if key == b"authorization"), b"")
            if not self.access.is_known(_token(given.decode("latin-1"))):
                problem = _unauthorized("send an API key as Authorization: Bearer")
                await problem.response()(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _same(given: str, secrets: Iterable[str]) -> bool:
    # Compare against all secrets, so that the time taken does not reveal which one matched.
    # Headers were decoded as Latin-1; encoding restores their bytes.
    matches = [hmac.compare_digest(given.encode("latin-1"), secret.encode()) for secret in secrets]
    return any(matches)


def _token(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _unauthorized(message: str) -> Problem:
    return Problem(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})


def _admit_local_request(request: Request) -> None:
    local_only = f"without an operator token this is allowed from this machine only; set {ADMIN_VARIABLE} to allow it"
    if not _is_from_this_machine(request):
        raise _forbidden(f"{local_only} from other machines")
    if not _names_this_machine(request):
        raise _forbidden(f"{local_only} under host names other than localhost")
    if not _is_same_site(request):
        raise _forbidden(f"{local_only} from pages of other sites")
    if not is_json(request):
        raise Problem(415, "unsupported_media_type", "send this with Content-Type: application/json")


def _forbidden(message: str) -> Problem:
    return Problem(403, "forbidden", message)


def _is_from_this_machine(request: Request) -> bool:
    # Behind a proxy on this machine every client looks local. The front of a local fleet sets X-Forwarded-For, whose
    # addresses must be loopback too; headers of any other proxy mean that the client may be remote.
    peer = request.client.host if request.client else ""
    forwarded_for = [part.strip() for value in request.headers.getlist("x-forwarded-for") for part in value.split(",")]
    relayed = any(name in PROXY_HEADERS for name in request.headers)
    return not relayed and all(is_loopback(address) for address in [peer, *forwarded_for])


PROXY_HEADERS = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port",
     "x-forwarded-server", "x-original-forwarded-for", "true-client-ip", "cf-connecting-ip", "fly-client-ip"}
)  # fmt: skip
_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9.-]+))(?::[0-9]{1,5})?")


def _names_this_machine(request: Request) -> bool:
    hosts = request.headers.getlist("host")
    parts = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    return parts is not None and is_loopback(parts["v6"] or parts["name"])


def _is_same_site(request: Request) -> bool:
    if any(site not in ("none", "same-origin") for site in request.headers.getlist("sec-fetch-site")):
        return False
    host = request.headers.get("host", "").lower()
    return all(origin.lower() in (f"http://{host}", f"https://{host}") for origin in request.headers.getlist("origin"))


def is_loopback(name: str) -> bool:
    """Whether `name` is a loopback address or "localhost"."""
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
