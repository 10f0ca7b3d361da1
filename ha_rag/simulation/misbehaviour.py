"""Sends the responses of each fault."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from collections.abc import Mapping, Sequence

from aiohttp import web

from ha_rag.simulation.fault_modes import FaultMode
from ha_rag.simulation.faults import Fault, RunningFault, Target
from ha_rag.simulation.garbage import garbage
from ha_rag.simulation.wire import error_reply, json_reply

NO_LINGERING = struct.pack("ii", 1, 0)
_used: set[object] = set()
"""The addresses of callers whose connection was used once in the mode `closing`."""


def bad_reply(request: web.Request, target: Target, fault: Fault) -> web.Response | None:
    """The response that `fault` sends instead of a correct one; None if it only delays or truncates that."""
    match fault.mode:
        case FaultMode.ERROR:
            return error_reply("simulated server error", fault.status or 500, "server_error")
        case FaultMode.THROTTLE:
            return _throttled(fault)
        case FaultMode.GARBAGE:
            body, content_type = garbage(target, fault.kind)
            return web.Response(body=body, content_type=content_type)
        case FaultMode.RESET:
            reset_connection(request)
            return web.Response()
        case FaultMode.CLOSING if _is_second_on_its_connection(request):
            reset_connection(request)
            return web.Response()
        case FaultMode.DETAIL:
            return json_reply(
                {"detail": [{"loc": ["body", "model"], "msg": "simulated server error"}]}, fault.status or 500
            )
        case FaultMode.LIMIT:
            return _limited(fault)
        case _:
            return None


async def dripped(
    request: web.Request, pieces: Sequence[bytes], headers: Mapping[str, str], running: RunningFault
) -> web.StreamResponse:
    """Sends the pieces with the fault's delay between them; once the fault is over, sends the rest at once."""
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    for n, piece in enumerate(pieces):
        if n:
            await held_back(running.over, running.fault.delay_s)
        await response.write(piece)
    return response


def halves(body: bytes) -> tuple[bytes, bytes]:
    """Both halves of `body`; the first is not longer than the second."""
    middle = len(body) // 2
    return body[:middle], body[middle:]


async def cut_short(request: web.Request, body: bytes, content_type: str) -> web.StreamResponse:
    """Declares the length of `body`, sends half of it, and closes the connection."""
    response = web.StreamResponse(headers={"Content-Type": content_type, "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(halves(body)[0])
    hang_up(request)
    return response


def hang_up(request: web.Request) -> None:
    """Closes the connection after sending what has been written."""
    if request.transport is not None:
        request.transport.close()


def reset_connection(request: web.Request) -> None:
    """Closes the connection at once; the caller sees a reset."""
    transport = request.transport
    if transport is None:
        return
    if (sock := transport.get_extra_info("socket")) is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGERING)
    transport.abort()


async def held_back(over: asyncio.Event, seconds: float) -> None:
    """Waits until the fault is over, but at most `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await over.wait()
    except TimeoutError:
        return


def _throttled(fault: Fault) -> web.Response:
    headers = {}
    if fault.retry_after_s > 0:
        headers = {
            "Retry-After": str(math.ceil(fault.retry_after_s)),
            "retry-after-ms": str(math.ceil(fault.retry_after_s * 1000)),
        }
    return error_reply("simulated rate limit", fault.status or 429, "rate_limit_error", headers=headers)


def _limited(fault: Fault) -> web.Response:
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": f"{fault.retry_after_s:g}s",
        "x-ratelimit-remaining-tokens": "149000",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    return error_reply("simulated rate limit", fault.status or 429, "requests", headers=headers)


def _is_second_on_its_connection(request: web.Request) -> bool:
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    if peer in _used:
        _used.remove(peer)
        return True
    _used.add(peer)
    return False
