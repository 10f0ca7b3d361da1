"""EndpointLabels: the endpoint of a request, for metrics and traces."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.routing import BaseRoute, Route


class EndpointLabels:
    """Labels of paths: one of the endpoints in `routes`, or "other", so that their number is bounded.

    A path with a parameter gets the route's template up to that parameter, such as "/v1/circuits/{name}".
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        paths = {route.path_format for route in routes if isinstance(route, Route)}
        self._exact = frozenset(path for path in paths if "{" not in path)
        self._templates = {path.partition("{")[0]: path.partition("}")[0] + "}" for path in paths if "{" in path}

    def of(self, path: str) -> str:
        """The label of `path`."""
        if path in self._exact:
            return path
        return next((label for prefix, label in self._templates.items() if path.startswith(prefix)), "other")
