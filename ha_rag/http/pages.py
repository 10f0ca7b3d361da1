"""GET / (dashboard and playground) and GET /docs (Swagger UI): pages that load everything from this server."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from ha_rag.http.service import DashboardService

_SECURITY_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
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
        return HTMLResponse(dashboard, headers=_SECURITY_HEADERS | {"Content-Security-Policy": _POLICY})

    @routes.get("/docs")
    async def api() -> Response:
        return HTMLResponse(bytes(docs), headers=_SECURITY_HEADERS | {"Content-Security-Policy": _DOCS_POLICY})

    return routes


class Assets(StaticFiles):
    """Static files that browsers revalidate on every use, so that none outlives an upgrade."""

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
