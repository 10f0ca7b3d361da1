"""HTTP clients whose every request passes the circuit of its host.

    async with aiohttp.ClientSession(middlewares=[AiohttpGuard(circuits)]) as session: ...
    httpx.AsyncClient(transport=AsyncHttpxTransport(circuits))
    httpx.Client(transport=HttpxTransport(circuits))

A refused request raises CircuitOpenError. A library is imported with the first use of its class; the extras are named
`aiohttp` and `httpx`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ha_rag.transports.for_aiohttp import AiohttpGuard
    from ha_rag.transports.for_httpx import AsyncHttpxTransport, HttpxTransport
    from ha_rag.transports.hosts import Hosts

__all__ = ["AiohttpGuard", "AsyncHttpxTransport", "Hosts", "HttpxTransport"]

_HOMES = {
    "AiohttpGuard": ("for_aiohttp", "aiohttp"),
    "AsyncHttpxTransport": ("for_httpx", "httpx"),
    "Hosts": ("hosts", ""),
    "HttpxTransport": ("for_httpx", "httpx"),
}
"""Public name -> its module, and the library and extra that it needs."""


def __getattr__(name: str) -> Any:
    """Imports a class when it is first used (PEP 562). Raises ImportError, naming the extra, without its library."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ha_rag.transports' has no attribute {name!r}")
    home, library = _HOMES[name]
    try:
        module = import_module(f"{__name__}.{home}")
    except ModuleNotFoundError as missing:
        if missing.name != library:
            raise
        raise ImportError(f"{name} needs {library}: pip install 'ha-rag[{library}]'", name=library) from missing
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
