"""GET / (dashboard and playground) and GET /docs (Swagger UI): pages that load everything from this server."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from ha_rag.http.service import DashboardService

_SECURITY_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
PAGE_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
"""The content security policy of the dashboard: it needs nothing but files of this server."""

# Swagger UI uses inline styles and an inline start-up script.
_DOCS_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
)


def page_routes(_: DashboardService) -> APIRouter:
    """The pages."""
    routes = APIRouter(include_in_schema=False)
    dashboard = (_folder("ha_rag.dashboards") / "web" / "index.html").read_text(encoding="utf-8")
    docs = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="ha_rag: API",
        swagger_js_url="/docs/assets/swagger-ui-bundle.js",
        swagger_css_url="/docs/assets/swagger-ui.css",
        swagger_favicon_url="/web/icon.svg",
    ).body

    @routes.get("/")
    async def page() -> Response:
        return HTMLResponse(dashboard, headers=_SECURITY_HEADERS | {"Content-Security-Policy": PAGE_POLICY})

    @routes.get("/docs")
    async def api() -> Response:
        return HTMLResponse(bytes(docs), headers=_SECURITY_HEADERS | {"Content-Security-Policy": _DOCS_POLICY})

    return routes


class Assets(StaticFiles):
    """Static files, always whole, that browsers revalidate on every use, so that none outlives an upgrade."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. `Range` is ignored (RFC 9110, 14.2): the files are small, and hostile ranges take time."""
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """The file, or 304."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def assets() -> dict[str, StaticFiles]:
    """Scripts and styles of the pages, by the path they are served at."""
    return {
        "/web": Assets(directory=_folder("ha_rag.dashboards") / "web"),
        "/docs/assets": Assets(directory=_folder("fastapi_offline") / "static"),
    }


def _folder(package: str) -> Path:
    with resources.as_file(resources.files(package)) as folder:
        return folder
