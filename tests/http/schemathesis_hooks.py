"""Hooks for what the OpenAPI description cannot express. They leave invalid requests invalid."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import schemathesis
from schemathesis.hooks import HookContext
from schemathesis.transport.serialization import Binary

LONGEST_QUERY = 30_000
"""Characters. The server refuses longer heads before any route sees them (431, RFC 6585): test_connections.py."""
QUESTION = {"role": "user", "content": "How does a circuit recover?"}


@schemathesis.hook("map_case")
def completed(context: HookContext, case: Any) -> Any:
    """Adds a user message to conversations, and asks for fleet snapshots: an idle fleet has no other events.

    Conversations are not strict: which values of a parameter ask for something is not in the description. Files hold
    text, since which ones can be read is not there either.
    """
    path = "" if context.operation is None else context.operation.path
    if path == "/v1/chat/completions" and isinstance(case.body, dict) and isinstance(case.body.get("messages"), list):
        messages = case.body["messages"]
        case.body = {**case.body, "messages": [*messages, QUESTION] if messages else []}
        if case.body.get("strict") is True:
            case.body["strict"] = False
    if path == "/v1/documents" and isinstance(case.body, dict) and isinstance(case.body.get("file"), list):
        case.body["file"] = [b"Bees hum." if isinstance(file, bytes | Binary) else file for file in case.body["file"]]
    if path == "/v1/events" and case.query.get("fleet", False) in (False, "false"):
        case.query["fleet"] = True
    return case


@schemathesis.hook("filter_case")
def fits(context: HookContext, case: Any) -> bool:
    """Whether a request can reach a route."""
    return len(urlencode(case.query or {}, doseq=True)) <= LONGEST_QUERY
