"""GET / (dashboard and playground) and GET /docs (OpenAPI): pages that ask nobody but this server for anything."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from ha_rag.http.service import DashboardService

_SAFE = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
# Swagger UI writes styles and its start-up script into the page itself.
_DOCS_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
)


def page_routes(_: DashboardService) -> APIRouter:
    """The pages and what they are made of."""
    routes = APIRouter(include_in_schema=False)
    front = (_folder("ha_rag.dashboards") / "web" / "index.html").read_text(encoding="utf-8")
    docs = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="ha_rag: API",
        swagger_js_url="/docs/assets/swagger-ui-bundle.js",
        swagger_css_url="/docs/assets/swagger-ui.css",
        swagger_favicon_url="/web/icon.svg",
    ).body

    @routes.get("/")
    async def page() -> Response:
        return HTMLResponse(front, headers=_SAFE | {"Content-Security-Policy": _POLICY})

    @routes.get("/docs")
    async def api() -> Response:
        return HTMLResponse(bytes(docs), headers=_SAFE | {"Content-Security-Policy": _DOCS_POLICY})

    return routes


class Assets(StaticFiles):
    """Files that a browser asks about each time (304 while they are the same), so that none outlives its version."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """The file, or 304."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def assets() -> dict[str, StaticFiles]:
    """Where the pages' scripts and styles are served."""
    return {
        "/web": Assets(directory=_folder("ha_rag.dashboards") / "web"),
        "/docs/assets": Assets(directory=_folder("fastapi_offline") / "static"),
    }


def _folder(package: str) -> Path:
    with resources.as_file(resources.files(package)) as folder:
        return folder
