"""Problems of a file as sentences: `<key path> = <value>: <rule>`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from ha_rag.settings.showing import Location, key_shown, shown
from ha_rag.settings.tables import NAME_PATTERN, NAMESPACE_PATTERN

_RULES = {
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "dict_type": "must be a table, as in [{key}]",
    "list_type": "must be a list",
    "model_type": "must be a table, as in [{key}]",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}


def sentences(
    error: ValidationError, table: Mapping[str, Any], known: Mapping[str, FieldInfo], place: Location = ()
) -> list[str]:
    """One sentence for each problem that pydantic found in `table`. `place`: its key path. `known`: its valid keys."""
    return [_sentence(detail, table, known, place) for detail in error.errors()]


def _sentence(detail: ErrorDetails, table: Mapping[str, Any], known: Mapping[str, FieldInfo], place: Location) -> str:
    loc = detail["loc"]
    at = (*place, *loc)
    if detail["type"] == "missing":
        return f"{path(at)}: is required"
    given = shown(_value_at(table, loc), at)
    if detail["type"] == "extra_forbidden":
        return f"{path(at)} = {given}: {unknown_key(str(loc[-1]), _known_keys(known, loc[:-1]))}"
    return f"{path(at)} = {given}: {_rule(detail, at)}"


def _rule(detail: ErrorDetails, place: Location) -> str:
    kind, facts = detail["type"], detail.get("ctx", {})
    if kind in _RULES:
        return _RULES[kind].format(key=path(tuple(part for part in place if isinstance(part, str))))
    if kind in ("greater_than", "greater_than_equal"):
        return f"must be {'above' if kind == 'greater_than' else 'at least'} {facts.get('gt', facts.get('ge')):g}"
    if kind in ("less_than", "less_than_equal"):
        return f"must be {'below' if kind == 'less_than' else 'at most'} {facts.get('lt', facts.get('le')):g}"
    if kind == "string_too_long":
        return f"must have at most {facts['max_length']} characters"
    if kind == "value_error":
        return str(facts["error"])
    if kind == "literal_error":
        return f"must be {facts['expected']}"
    return _pattern_rule(str(facts.get("pattern", ""))) if kind == "string_pattern_mismatch" else f"is invalid ({kind})"


def _pattern_rule(pattern: str) -> str:
    if pattern in (NAME_PATTERN, NAMESPACE_PATTERN):
        dots = "dots, " if pattern == NAMESPACE_PATTERN else ""
        return f"must be lower-case letters, digits, {dots}dashes or underscores, starting with a letter or digit"
    if pattern.startswith("^https?"):
        return "must be an http:// or https:// URL without spaces, ? or #"
    if pattern.startswith("^(https?"):
        return "must be an http:// or https:// URL without spaces"
    return "must be the name of an environment variable (letters, digits, underscores)"


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The rule that an unknown key breaks, with the most similar known key."""
    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=1)
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; the keys here are {', '.join(names)}"


def one_of(names: Iterable[str]) -> str:
    """The rule that an unknown name breaks."""
    return f"must be one of {', '.join(map(repr, names))}"


def path(place: Location) -> str:
    """`("embedders", 0, "name")` as `embedders[0].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{key_shown(part)}" for part in place)
    return text.removeprefix(".") or "the file"


def _value_at(table: Any, place: Location) -> Any:
    for part in place:
        try:
            table = table[part]
        except (KeyError, IndexError, TypeError):
            return None
    return table


def _known_keys(known: Mapping[str, FieldInfo], parents: Location) -> Iterable[str]:
    """The keys of the table below `parents`."""
    for parent in parents:
        if isinstance(parent, str):  # a place in a list has the keys of the list's tables
            model = _model_in(known[parent].annotation)
            known = model.model_fields if model is not None else {}
    return known


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model of a key, which may be optional or a list of tables."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
