"""The OpenAPI document: what FastAPI cannot know, because this server reads bodies and checks keys by itself."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from ha_rag.http.access import ADMIN_VARIABLE, Access

KEY = {"type": "http", "scheme": "bearer", "description": "An API key (`HA_RAG_API_KEYS`), or the operator's token."}
OPERATOR = {"type": "http", "scheme": "bearer", "description": f"The operator's token (`{ADMIN_VARIABLE}`)."}
FOR_OPERATORS = "x-operators-only"
"""Marks, among our own operations, those that change things; not part of the document that goes out."""


class Described(FastAPI):
    """An application that describes itself with the keys that this very server wants, and no others."""

    def __init__(self, access: Access, **facts: Any) -> None:
        super().__init__(**facts)
        self._access = access

    def openapi(self) -> dict[str, Any]:
        """The document, written once."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemes = {}
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    operators = operation.pop(FOR_OPERATORS, False)
                    if operators and self._access.admin_token is not None:
                        operation["security"], schemes["operator"] = [{"operator": []}], OPERATOR
                    elif path.startswith("/v1/") and self._access.api_keys:
                        operation["security"], schemes["key"] = [{"key": []}], KEY
            if schemes:
                document["components"]["securitySchemes"] = schemes
            self.openapi_schema = document
        return self.openapi_schema
