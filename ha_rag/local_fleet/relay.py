"""Relays one request to a replica and streams its reply back."""

from __future__ import annotations

import io

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ha_rag.http.access import PROXY_HEADERS
from ha_rag.http.problems import invalid
from ha_rag.local_fleet.race import NoReplyError
from ha_rag.local_fleet.upstreams import Upstream

REPLICA_HEADER = "X-HA-RAG-Replica"
LARGE_BODY_BYTES = 500_000
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to one connection (RFC 9110, 7.6.1)."""
EVIDENCE = PROXY_HEADERS | {
    "authorization", "content-type", "host", "origin", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site",
    "sec-fetch-user", "x-forwarded-for",
}  # fmt: skip
"""Headers that access checks depend on. A `Connection` header must not remove them."""

REPEATABLE_METHODS = frozenset(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
REPEATABLE_POSTS = frozenset(["/v1/query", "/v1/chat/completions", "/v1/embeddings", "/v1/documents"])
"""Idempotent POSTs: questions, and documents (the same id holds the same text)."""


def may_repeat(method: str, path: str) -> bool:
    """Whether a request may be retried on another replica after one may have begun it."""
    return method in REPEATABLE_METHODS or (method == "POST" and path in REPEATABLE_POSTS)


def check_passable(request: web.Request) -> None:
    """Raises Problem for headers that aiohttp would not pass on byte for byte."""
    try:
        "".join(request.headers.values()).encode()
    except UnicodeEncodeError:
        raise invalid("a header's value must be UTF-8") from None


def passed_on(request: web.Request) -> CIMultiDict[str]:
    """The headers for the replica.

    Host and Origin are passed on unchanged, since the replica compares them (against DNS rebinding and CSRF).
    The client's address is added to X-Forwarded-For: to the replica every request comes from this machine, and it only
    accepts changes if every address listed is this machine's.
    """
    headers = _end_to_end(request.headers)
    named = headers.popall("X-Forwarded-For", [])
    headers["X-Forwarded-For"] = ", ".join([*named, request.remote or "unknown"])
    return headers


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    kept = headers.copy()
    named = {name.strip().lower() for value in kept.getall("Connection", []) for name in value.split(",")}
    for name in {name for name in kept if name.lower() in HOP_BY_HOP | (named - EVIDENCE)}:
        kept.popall(name)
    return kept


async def ask(
    session: aiohttp.ClientSession, replica: Upstream, request: web.Request, body: bytes
) -> aiohttp.ClientResponse:
    """The replica's reply: complete if it has a moderate Content-Length, else only its headers.

    A replica that dies between headers and a complete body has not replied, so another one may. Raises NoReplyError.
    """
    url = URL(f"{replica.url}{request.rel_url.raw_path_qs}", encoded=True)
    try:
        reply = await session.request(
            request.method, url, headers=passed_on(request), data=_payload(body), allow_redirects=False
        )
        if _comes_whole(reply):
            await reply.read()
        return reply
    except aiohttp.ClientConnectorError as error:
        replica.ready = False
        raise NoReplyError(f"{replica.name} refused the connection", untouched=True) from error
    except aiohttp.ConnectionTimeoutError as error:
        raise NoReplyError(f"{replica.name} did not accept the connection", untouched=True, late=True) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NoReplyError(f"{replica.name} broke off before its reply", untouched=False) from error


def _comes_whole(reply: aiohttp.ClientResponse) -> bool:
    return reply.content_length is not None and reply.content_length <= LARGE_BODY_BYTES


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    # aiohttp writes bytes in one go but a file in pieces, between which the event loop serves other requests.
    if len(body) > LARGE_BODY_BYTES:
        return io.BytesIO(body)
    return body or None


async def pass_back(request: web.Request, replica: Upstream, reply: aiohttp.ClientResponse) -> web.StreamResponse:
    """Streams the reply to the client. A stream that breaks in the middle breaks for the client too."""
    response = web.StreamResponse(status=reply.status, reason=reply.reason, headers=_end_to_end(reply.headers))
    response.headers[REPLICA_HEADER] = replica.name
    try:
        await response.prepare(request)
        if _comes_whole(reply):
            await response.write(await reply.read())
        async for piece in reply.content.iter_any():
            await response.write(piece)
        await response.write_eof()
    except aiohttp.ClientPayloadError:
        # A regular end would make a truncated answer look complete.
        if request.transport is not None:
            request.transport.abort()
    finally:
        reply.release() if reply.content.is_eof() else reply.close()
    return response
