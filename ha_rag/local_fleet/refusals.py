"""Replies of the front itself: in the same error form as the replicas', and without version headers."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.typedefs import Handler

from ha_rag.http.connection import MAX_HEAD_BYTES, MAX_HEADERS, MAX_REFUSED_BYTES
from ha_rag.http.problems import Problem, problem_of, retry_after

HANG_UP = {"Connection": "close"}
SERVER = "ha_rag"


def reply(problem: Problem) -> web.Response:
    """The problem as an aiohttp response."""
    headers = {**problem.headers, "Server": SERVER}
    response = web.Response(
        body=problem.body(), status=problem.status, headers=headers, content_type="application/json"
    )
    if problem.headers.get("Connection") == "close":
        response.force_close()
    return response


def on_the_wire(problem: Problem) -> bytes:
    """The same as bytes, for connections without a request yet. The sender closes the connection."""
    body = problem.body()
    headers = {
        "Content-Type": "application/json", "Content-Length": len(body), "Server": SERVER, **problem.headers, **HANG_UP
    }  # fmt: skip
    lines = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@web.middleware
async def in_one_form(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware: Problems and aiohttp's own errors in our error form."""
    try:
        return await handler(request)
    except Problem as problem:
        return reply(problem)
    except web.HTTPException as error:
        return reply(Problem(error.status, _KINDS.get(error.status, "bad_request"), error.reason))


_KINDS = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


async def unnamed(_: web.Request, response: web.StreamResponse) -> None:
    """Removes version headers from a reply."""
    response.headers["Server"] = SERVER


async def expected(request: web.Request) -> web.StreamResponse | None:
    """Answers `Expect` (RFC 9110, 10.1.1)."""
    if request.headers[hdrs.EXPECT].lower() != "100-continue":
        return reply(Problem(417, "bad_request", "the only expectation supported is 100-continue"))
    if request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # aiohttp takes these bytes for the beginning of a reply
    return None


def unreadable(error: BaseException | None) -> Problem:
    """Why a request was malformed, without quoting it; for an internal error, without details."""
    if isinstance(error, LineTooLong):
        return long_head()
    if isinstance(error, HttpProcessingError):
        return many_headers() if error.message.startswith("Too many headers") else no_http()
    return problem_of(error if isinstance(error, Exception) else RuntimeError())


def no_http() -> Problem:
    """400."""
    message = "this is not valid HTTP/1.1; nothing was done"
    return Problem(400, "bad_request", message, headers=HANG_UP)


def slow_head(head_s: float) -> Problem:
    """408."""
    message = f"the request's headers did not arrive within {head_s:g} s"
    return Problem(408, "request_timeout", message, headers=HANG_UP)


def long_head() -> Problem:
    """431."""
    message = f"line and headers must have at most {MAX_HEAD_BYTES:,} bytes"
    return Problem(431, "headers_too_large", message, headers=HANG_UP)


def many_headers() -> Problem:
    """431."""
    message = f"a request must have at most {MAX_HEADERS} headers"
    return Problem(431, "headers_too_large", message, headers=HANG_UP)


def long_framing() -> Problem:
    """400."""
    message = f"chunk extensions and trailers must have at most {MAX_REFUSED_BYTES:,} bytes without a body in between"
    return Problem(400, "bad_request", message, headers=HANG_UP)


def crowded(most: int) -> Problem:
    """503."""
    message = f"this port has {most} connections open, which is its limit; try again"
    return Problem(503, "overloaded", message, headers={**retry_after(1), **HANG_UP})


def no_replica(message: str) -> Problem:
    """503: try again in a second."""
    return Problem(503, "no_replica", message, headers=retry_after(1))
