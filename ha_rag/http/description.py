"""The OpenAPI document: what FastAPI cannot know, because this server reads bodies and checks keys by itself."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from ha_rag.http.access import ADMIN_VARIABLE, Access

KEY = {"type": "http", "scheme": "bearer", "description": "An API key (`HA_RAG_API_KEYS`), or the operator's token."}
OPERATOR = {"type": "http", "scheme": "bearer", "description": f"The operator's token (`{ADMIN_VARIABLE}`)."}
FOR_OPERATORS = "x-operators-only"
"""Marks, among our own operations, those that change things; not part of the document that goes out."""


def described(app: FastAPI, access: Access) -> None:
    """Lets `app` describe itself with the keys that this very server wants, and no others."""
    written_by_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = written_by_fastapi()
            schemes = {}
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    operators = operation.pop(FOR_OPERATORS, False)
                    if operators and access.admin_token is not None:
                        operation["security"], schemes["operator"] = [{"operator": []}], OPERATOR
                    elif path.startswith("/v1/") and access.api_keys:
                        operation["security"], schemes["key"] = [{"key": []}], KEY
            if schemes:
                document["components"]["securitySchemes"] = schemes
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it
