"""Hooks for what the OpenAPI description cannot express. They leave invalid requests invalid."""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis.hooks import HookContext

QUESTION = {"role": "user", "content": "How does a circuit recover?"}


@schemathesis.hook("map_case")
def completed(context: HookContext, case: Any) -> Any:
    """Adds a user message to conversations, and asks for fleet snapshots: an idle fleet has no other events."""
    path = "" if context.operation is None else context.operation.path
    if path == "/v1/chat/completions" and isinstance(case.body, dict) and isinstance(case.body.get("messages"), list):
        messages = case.body["messages"]
        case.body = {**case.body, "messages": [*messages, QUESTION] if messages else []}
    if path == "/v1/events" and case.query.get("fleet", False) in (False, "false"):
        case.query["fleet"] = True
    return case
