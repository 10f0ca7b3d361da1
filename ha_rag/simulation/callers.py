"""Who may call the simulated provider: programs, and no page of another site through somebody's browser.

It has no keys, and whoever can reach it can break it for the fleet that calls it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ha_rag.hosts import is_address, is_same_site, named_host
from ha_rag.simulation.wire import error_reply

log = logging.getLogger(__name__)


class Callers:
    """Middleware that refuses requests of other sites' pages (403), and gives every error the form of OpenAI's.

    Accepted in Host: addresses, names without a dot such as "localhost" or a service of compose, which no site has, and
    `names`.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(name.lower() for name in names)

    def middleware(self) -> Middleware:
        """To be given to the application."""

        @web.middleware
        async def admitted(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._admit(request, handler)

        return admitted

    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if (refusal := self._refusal(request)) is not None:
            return error_reply(refusal, 403, "forbidden")
        try:
            return await handler(request)
        except web.HTTPException as error:
            return error_reply(error.reason, error.status)
        except (ConnectionError, TimeoutError):
            raise  # the client has left
        except Exception:
            if request.writer.output_size:
                raise  # in the middle of a reply the only way to signal an error is to close the connection
            log.exception("%s %s failed", request.method, request.path)
            return error_reply("internal error; see the log of the simulated provider", 500, "internal")

    def _refusal(self, request: web.Request) -> str | None:
        headers = request.headers
        name = named_host(headers.getall("Host", []))
        if name is None or not self._is_accepted(name.lower()):
            return "this host name is not one of the simulated provider; name it with --allow-host"
        sites = headers.getall("Sec-Fetch-Site", [])
        if not is_same_site(headers["Host"], headers.getall("Origin", []), sites):
            return "the simulated provider is not for pages of other sites"
        return None

    def _is_accepted(self, name: str) -> bool:
        return "." not in name.rstrip(".") or is_address(name) or name in self._names
