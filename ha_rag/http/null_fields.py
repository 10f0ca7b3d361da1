"""`null` for an optional field is the same as leaving it out, as OpenAI's clients and many others write it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

_OUTSIDE = frozenset({"default", "description", "examples", "title"})
"""Keywords of a field, rather than of its values."""


class NullIsAbsence(BaseModel):
    """A model whose optional fields may be null in the input, and then have their default."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if not isinstance(given, dict) or None not in given.values():
            return given
        fields = cls.model_fields
        return {
            name: value
            for name, value in given.items()
            if value is not None or name not in fields or fields[name].is_required()
        }

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(core_schema)
        schema = handler.resolve_ref_schema(described)
        required = schema.get("required", ())
        for name, field in schema.get("properties", {}).items():
            if name not in required:
                schema["properties"][name] = _nullable(field)
        return described


def _nullable(field: dict[str, Any]) -> dict[str, Any]:
    kinds = field.get("anyOf", [{key: value for key, value in field.items() if key not in _OUTSIDE}])
    if {"type": "null"} in kinds or kinds == [{}]:
        return field
    return {"anyOf": [*kinds, {"type": "null"}], **{key: value for key, value in field.items() if key in _OUTSIDE}}
