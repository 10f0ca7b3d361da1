"""The application of one replica: middleware and endpoints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from ha_rag.errors import HaRagError
from ha_rag.http.access import Access, ApiKeys
from ha_rag.http.bodies import validation_problem
from ha_rag.http.body_limit import BodyLimit
from ha_rag.http.capacity import Capacity
from ha_rag.http.chat import chat_handler, chat_routes
from ha_rag.http.circuits import circuit_routes
from ha_rag.http.client_disconnect import CancelOnDisconnect
from ha_rag.http.document_list import document_list_routes
from ha_rag.http.documents import document_routes
from ha_rag.http.endpoint_labels import EndpointLabels
from ha_rag.http.events import event_routes
from ha_rag.http.experiment import experiment_routes
from ha_rag.http.feedback import feedback_routes
from ha_rag.http.fleet import fleet_routes
from ha_rag.http.health import health_routes, probe_routes
from ha_rag.http.metrics import RequestCounter, metrics_routes
from ha_rag.http.model_list import model_routes
from ha_rag.http.openapi import DescribedApp
from ha_rag.http.orders import order_routes
from ha_rag.http.pages import assets, page_routes
from ha_rag.http.problems import Problem, not_found, problem_of
from ha_rag.http.query import query_handler, query_routes
from ha_rag.http.request_id import RequestId
from ha_rag.http.routing import FastPath, HeadAsGet, allowed_methods
from ha_rag.http.service import Service
from ha_rag.http.traced_requests import TracedRequests
from ha_rag.version import version

DESCRIPTION = (
    "Answers questions over documents, and keeps answering when the services behind it fail. "
    'Every error has the form `{"error": {"type", "message", "param"}}`.'
)


def build_app(service: Service) -> ASGIApp:
    """The whole application.

    Middleware, outermost first: request id, tracing (if any), metrics, API keys, capacity, disconnects, body limit,
    HEAD, fast path.
    """
    described = endpoints(service)
    labels = EndpointLabels(described.every_route())
    questions = {("POST", "/v1/query"): query_handler(service), ("POST", "/v1/chat/completions"): chat_handler(service)}
    app: ASGIApp = FastPath(described, questions)
    app = BodyLimit(HeadAsGet(app), timeout_s=service.limits.request_timeout_s)
    capacity = Capacity(CancelOnDisconnect(app), service.limits.max_concurrent)
    service.in_flight, service.receiving = (lambda: capacity.in_flight), (lambda: capacity.receiving)
    app = ApiKeys(capacity, service.access)
    app = RequestCounter(app, service.metrics.requested, labels)
    return RequestId(app if service.traces is None else TracedRequests(app, service.traces, labels))


def endpoints(service: Service) -> DescribedApp:
    """A replica's endpoints."""
    return application([routes(service) for routes in _ROUTES], service.access)


def application(routers: Sequence[APIRouter], access: Access) -> DescribedApp:
    """An application of `routers` and the static files, in which every error has the same form."""
    app = DescribedApp(
        access,
        title="ha_rag",
        version=version(),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    # Exception: anything unexpected; Starlette would reply to it in plain text.
    for error in (Problem, HaRagError, Exception):
        app.add_exception_handler(error, _error_reply)
    for router in routers:
        app.include_router(router)
    for path, files in assets().items():
        app.mount(path, files)
    app.add_exception_handler(RequestValidationError, _invalid_parameter)
    app.add_exception_handler(HTTPException, _router_errors(app.every_route()))
    return app


_ROUTES = (
    query_routes,
    chat_routes,
    model_routes,
    circuit_routes,
    fleet_routes,
    order_routes,
    event_routes,
    feedback_routes,
    experiment_routes,
    metrics_routes,
    document_list_routes,
    document_routes,
    health_routes,
    probe_routes,
    page_routes,
)


async def _error_reply(_: Request, error: Exception) -> Response:
    return problem_of(error).response()


async def _invalid_parameter(_: Request, error: Exception) -> Response:
    """An invalid parameter in the URL or a header. Bodies are validated in `bodies`."""
    if not isinstance(error, RequestValidationError):
        raise error
    detail = error.errors()[0]
    return validation_problem(detail, tuple(detail["loc"][1:])).response()


def _router_errors(routes: Sequence[BaseRoute]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def reply(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        path = request.url.path[:200]
        if error.status_code == 405:
            # Starlette's own Allow header covers only one of the routes at this path.
            allowed = {"Allow": ", ".join(allowed_methods(routes, request.scope))}
            return Problem(
                405, "method_not_allowed", f"{path} does not allow {request.method}", headers=allowed
            ).response()
        if error.status_code == 404:
            return not_found(f"there is nothing at {path}; see /docs").response()
        return Problem(error.status_code, "bad_request", HTTPStatus(error.status_code).phrase).response()

    return reply
