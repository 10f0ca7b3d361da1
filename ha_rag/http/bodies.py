"""Parses JSON request bodies into models; validation errors become one-sentence problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import ConfigDict, ValidationError
from starlette.requests import ClientDisconnect, Request

from ha_rag.http.json_values import ValueCount
from ha_rag.http.null_fields import NullIsAbsence
from ha_rag.http.problems import Problem, invalid
from ha_rag.threads import computing

M = TypeVar("M", bound="Body")


LARGE_BODY_BYTES = 64 * 1024
"""Larger bodies are parsed and validated in a thread."""


class Body(NullIsAbsence):
    """A request body: no unknown fields, no type conversions.

    `max_values`: how many values it may hold, in the measure of `ValueCount`; valid bodies hold far fewer.
    """

    max_values: ClassVar[int] = 256

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


async def read_json(request: Request, model: type[M]) -> M:
    """The body as `model`.

    Raises Problem: 415 wrong type, or compressed; 400 invalid JSON; 413 too many values; 422 invalid value.
    """
    if not is_json(request):
        raise Problem(415, "unsupported_media_type", "send the body as JSON, with Content-Type: application/json")
    refuse_compressed(request)
    content = await _content(request, model.max_values)
    if len(content) > LARGE_BODY_BYTES:
        return await computing.run(_parsed, model, content)
    return _parsed(model, content)


def refuse_compressed(request: Request) -> None:
    """Raises Problem (415) if the body is declared as compressed."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        message = f"send the body uncompressed: Content-Encoding {encoding[:40]!r} is not supported"
        raise Problem(415, "unsupported_media_type", message, headers={"Accept-Encoding": "identity"})


async def _content(request: Request, max_values: int) -> bytes:
    pieces: list[bytes] = []
    values = ValueCount()
    try:
        async for piece in request.stream():
            if values.add(piece) > max_values:
                raise _too_many_values(max_values)
            pieces.append(piece)
    except ClientDisconnect:
        raise Problem(400, "invalid_json", "the connection closed before the whole body arrived") from None
    return b"".join(pieces)


def _parsed(model: type[M], content: bytes) -> M:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise _problem(error, content) from None


def _too_many_values(most: int) -> Problem:
    message = f"the body must have at most {most:,} values (commas and opening brackets outside of texts are counted)"
    return Problem(413, "too_large", message, headers={"Connection": "close"})


def is_json(request: Request) -> bool:
    """Whether the body is declared as JSON: a type that browsers do not send across sites without a CORS preflight."""
    declared = media_type(request)
    return declared == "application/json" or (declared.startswith("application/") and declared.endswith("+json"))


def media_type(request: Request) -> str:
    """The declared type of the body, in lower case and without parameters; "" if none is declared."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _problem(error: ValidationError, content: bytes) -> Problem:
    detail = error.errors(include_url=False, include_input=False)[0]
    if detail["type"] == "json_invalid":
        return _invalid_json(content, str(detail["ctx"]["error"]))
    return validation_problem(detail, detail["loc"])


def validation_problem(detail: Mapping[str, Any], loc: tuple[int | str, ...]) -> Problem:
    """422 for pydantic's error at `loc`, in our own words and without the value."""
    param = _param(loc)
    return invalid(f"{param or 'the body'}: {_rule_text(detail['type'], detail.get('ctx', {}), detail['msg'])}", param)


def _invalid_json(content: bytes, reason: str) -> Problem:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return Problem(
            400, "invalid_json", f"the body is not UTF-8 (the first invalid byte is at offset {error.start})"
        )
    return Problem(
        400, "invalid_json", f"the body is not valid JSON: {reason}" if content.strip() else "the body is empty"
    )


def _param(loc: tuple[int | str, ...]) -> str | None:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.lstrip(".")[:200] or None


_RULES = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this request",
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


def _rule_text(kind: str, context: dict[str, Any], message: str) -> str:
    if kind in _RULES:
        return _RULES[kind]
    if kind in ("greater_than", "greater_than_equal"):
        return f"must be {'above' if kind == 'greater_than' else 'at least'} {context.get('gt', context.get('ge')):g}"
    if kind in ("less_than", "less_than_equal"):
        return f"must be {'below' if kind == 'less_than' else 'at most'} {context.get('lt', context.get('le')):g}"
    if kind == "string_too_long":
        return f"must have at most {context['max_length']:,} characters"
    if kind == "too_long":
        return f"must have at most {context['max_length']:,} entries"
    if kind in ("literal_error", "enum"):
        return f"must be one of {context['expected']}"
    return str(context["error"]) if kind == "value_error" else message
