"""Reading a request's JSON body into a model, and saying in one sentence why it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect, Request

from ha_rag.http.problems import Problem, invalid

M = TypeVar("M", bound="Body")


class Body(BaseModel):
    """A request body: no unknown fields, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


async def read_json(request: Request, model: type[M]) -> M:
    """The body as `model`. Raises Problem: 415 no JSON type, or compressed, 400 no JSON, 422 a rule broken."""
    if not is_json(request):
        raise Problem(415, "unsupported_media_type", "send the body as JSON, with Content-Type: application/json")
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        message = f"send the body as it is: Content-Encoding {encoding[:40]!r} is not read here"
        raise Problem(415, "unsupported_media_type", message, headers={"Accept-Encoding": "identity"})
    try:
        content = await request.body()
    except ClientDisconnect:
        raise Problem(400, "invalid_json", "the connection ended before the body did") from None
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise _problem(error, content) from None


def is_json(request: Request) -> bool:
    """Whether the body is declared as JSON. A page of another site cannot send that type without asking first."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))


def _problem(error: ValidationError, content: bytes) -> Problem:
    detail = error.errors(include_url=False, include_input=False)[0]
    if detail["type"] == "json_invalid":
        return _no_json(content, str(detail["ctx"]["error"]))
    return broken_rule(detail, detail["loc"])


def broken_rule(detail: Mapping[str, Any], loc: tuple[int | str, ...]) -> Problem:
    """422 for what pydantic found wrong at `loc`, in our words and without the value."""
    param = _param(loc)
    return invalid(f"{param or 'the body'}: {_rule(detail['type'], detail.get('ctx', {}), detail['msg'])}", param)


def _no_json(content: bytes, why: str) -> Problem:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return Problem(400, "invalid_json", f"the body is not UTF-8 (byte {error.start} is the first that is not)")
    return Problem(
        400, "invalid_json", f"the body is not valid JSON: {why}" if content.strip() else "the body is empty"
    )


def _param(loc: tuple[int | str, ...]) -> str | None:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.lstrip(".")[:200] or None


_RULES = {
    "missing": "is required",
    "extra_forbidden": "is no field of this request",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "model_type": "must be a JSON object",
    "list_type": "must be a list",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}


def _rule(kind: str, facts: dict[str, Any], message: str) -> str:
    if kind in _RULES:
        return _RULES[kind]
    if kind in ("greater_than", "greater_than_equal"):
        return f"must be {'above' if kind == 'greater_than' else 'at least'} {facts.get('gt', facts.get('ge')):g}"
    if kind in ("less_than", "less_than_equal"):
        return f"must be {'below' if kind == 'less_than' else 'at most'} {facts.get('lt', facts.get('le')):g}"
    if kind == "string_too_long":
        return f"must have at most {facts['max_length']:,} characters"
    if kind == "too_long":
        return f"must have at most {facts['max_length']:,} entries"
    if kind in ("literal_error", "enum"):
        return f"must be one of {facts['expected']}"
    return str(facts["error"]) if kind == "value_error" else message
