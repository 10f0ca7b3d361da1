"""Authorization: API keys for /v1/*, and the operator token for changes.

Without an operator token, operator actions, reading documents and changing them are allowed from this machine only, and
only for requests that a page of another site cannot make a browser send: a Host header that names this machine (against
DNS rebinding), an Origin header, if present, that is this server, a Sec-Fetch-Site header, if present, that agrees
(against cross-site request forgery), and, for changes, a content type that the operation takes: JSON, unless it says
otherwise.
"""

from __future__ import annotations

import hmac
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ha_rag.errors import ConfigurationError
from ha_rag.hosts import is_loopback, is_same_site, named_host
from ha_rag.http.bodies import is_json, media_type
from ha_rag.http.problems import Problem

ADMIN_VARIABLE = "HA_RAG_ADMIN_TOKEN"
MULTIPART = "multipart/form-data"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""They change nothing (RFC 9110, 9.2.1), and no page of another site can read the reply."""


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

    def admit_operator(self, request: Request, also: Container[str] = ()) -> None:
        """Raises Problem (401, 403, 415) unless this request is an operator's.

        `also`: media types that this operation takes beside JSON; "" stands for a request that declares none.
        """
        if self.admin_token is None:
            _admit_local_request(request)
            if request.method not in SAFE_METHODS and not is_json(request) and media_type(request) not in also:
                raise Problem(
                    415, "unsupported_media_type", f"send this with Content-Type: application/json{_or(also)}"
                )
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


def _or(also: Container[str]) -> str:
    return (" or multipart/form-data" if MULTIPART in also else "") + (", or with none" if "" in also else "")


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


def _names_this_machine(request: Request) -> bool:
    name = named_host(request.headers.getlist("host"))
    return name is not None and is_loopback(name)


def _is_same_site(request: Request) -> bool:
    headers = request.headers
    return is_same_site(headers.get("host", ""), headers.getlist("origin"), headers.getlist("sec-fetch-site"))
