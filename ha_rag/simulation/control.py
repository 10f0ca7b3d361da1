"""The simulated provider's control endpoints: start and end faults, and read call counts."""

from __future__ import annotations

from aiohttp import web

from ha_rag.errors import ConfigurationError
from ha_rag.simulation.counts import REMEMBERED, CallCounts
from ha_rag.simulation.faults import Fault, FaultBoard, Target
from ha_rag.simulation.wire import BadRequestError, error_reply, json_object, json_reply


class Controls:
    """The endpoints `/faults` and `/counts`."""

    def __init__(self, board: FaultBoard, counts: CallCounts) -> None:
        self._board = board
        self._counts = counts

    def routes(self) -> list[web.RouteDef]:
        """The routes to add to the application."""
        return [
            web.get("/faults", self.show),
            web.put("/faults/{target}", self.start),
            web.delete("/faults/{target}", self.end),
            web.delete("/faults", self.end_all),
            web.get("/counts", self.counted),
            web.delete("/counts", self.forget),
        ]

    async def show(self, _: web.Request) -> web.Response:
        return json_reply(self._board.as_json())

    async def start(self, request: web.Request) -> web.Response:
        target = _target(request)
        if target is None:
            return _no_such_target(request)
        try:
            fault = Fault.from_request(await json_object(request))
        except (ConfigurationError, BadRequestError) as error:
            return error_reply(str(error), 400)
        self._board.start(target, fault)
        return json_reply(self._board.as_json())

    async def end(self, request: web.Request) -> web.Response:
        target = _target(request)
        if target is None:
            return _no_such_target(request)
        self._board.end(target)
        return json_reply(self._board.as_json())

    async def end_all(self, _: web.Request) -> web.Response:
        self._board.end_all()
        return json_reply(self._board.as_json())

    async def counted(self, request: web.Request) -> web.Response:
        last = request.query.get("last", str(REMEMBERED))
        if not last.isdecimal():
            return error_reply(f"last = {last!r}: must be a non-negative whole number", 400, param="last")
        return json_reply(self._counts.as_json(int(last)))

    async def forget(self, _: web.Request) -> web.Response:
        self._counts.clear()
        return json_reply(self._counts.as_json(0))


def _target(request: web.Request) -> Target | None:
    name = request.match_info["target"]
    return Target(name) if name in set(Target) else None


def _no_such_target(request: web.Request) -> web.Response:
    return error_reply(f"{request.match_info['target']!r}: no such target; must be one of {', '.join(Target)}", 404)
