"""What is wrong with a file, in sentences: `<key path> = <value>: <rule>`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from ha_rag.settings.shape import NAME_PATTERN, NAMESPACE_PATTERN
from ha_rag.settings.showing import Location, key_shown, shown

_LISTS = ("embedders", "retrievers", "generators")
_RULES = {
    "string_type": "must be text in quotes",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "list_type": "must be a list of tables, as in [[{key}]]",
    "dict_type": "must be a table, as in [{key}]",
    "model_type": "must be a table, as in [{key}]",
    "model_attributes_type": "must be a table, as in [[{key}]]",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty; leave the key out for the defaults",
}


def sentences(error: ValidationError, file: Mapping[str, Any], shape: type[BaseModel]) -> list[str]:
    """One sentence for each problem that pydantic found in `file`."""
    return [_sentence(detail["type"], detail["loc"], detail.get("ctx", {}), file, shape) for detail in error.errors()]


def _sentence(kind: str, loc: Location, facts: Mapping[str, Any], file: Mapping[str, Any], shape: Any) -> str:
    place, value = _without_tag(loc), _value_at(file, _without_tag(loc))
    where = path(place)
    if kind == "missing":
        return f"{where}: is missing and has no default"
    if kind == "extra_forbidden":
        return f"{where} = {shown(value, place)}: {unknown_key(str(place[-1]), _known_keys(shape, loc))}"
    if kind == "union_tag_not_found":
        return f"{where}.kind: is missing; must be one of {_tags(shape, loc)}"
    if kind == "union_tag_invalid":
        return f"{where}.kind = {shown(facts.get('tag'), place)}: must be one of {facts.get('expected_tags')}"
    return f"{where} = {shown(value, place)}: {_rule(kind, facts, place)}"


def _rule(kind: str, facts: Mapping[str, Any], place: Location) -> str:
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
    return _pattern_rule(str(facts.get("pattern", ""))) if kind == "string_pattern_mismatch" else f"is wrong ({kind})"


def _pattern_rule(pattern: str) -> str:
    if pattern in (NAME_PATTERN, NAMESPACE_PATTERN):
        dots = "dots, " if pattern == NAMESPACE_PATTERN else ""
        return f"must be lower-case letters, digits, {dots}dashes or underscores, beginning with a letter or digit"
    if pattern.startswith("^https?"):
        return "must be an http:// or https:// address without blanks, ? and #"
    return "must be the name of an environment variable (letters, digits, underscores)"


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The rule that an unknown key breaks, with the nearest key there is."""
    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=1)
    return f"is no key here; did you mean {near[0]}?" if near else f"is no key here; there are {', '.join(names)}"


def path(place: Location) -> str:
    """`("embedders", 0, "name")` as `embedders[0].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{key_shown(part)}" for part in place)
    return text.removeprefix(".") or "the file"


def _without_tag(loc: Location) -> Location:
    # Inside a list of components pydantic puts the kind after the number: ("embedders", 0, "openai", "model").
    return loc[:2] + loc[3:] if len(loc) > 2 and loc[0] in _LISTS and isinstance(loc[1], int) else loc


def _value_at(file: Any, place: Location) -> Any:
    for part in place:
        try:
            file = file[part]
        except (KeyError, IndexError, TypeError):
            return None
    return file


def _known_keys(shape: type[BaseModel], loc: Location) -> Iterable[str]:
    if len(loc) == 1:
        return shape.model_fields
    if loc[0] in _LISTS:
        return _member(shape, str(loc[0]), str(loc[2])).model_fields
    table = shape.model_fields[str(loc[0])].annotation
    return table.model_fields if isinstance(table, type) and issubclass(table, BaseModel) else ()


def _members(shape: type[BaseModel], field: str) -> dict[str, type[BaseModel]]:
    """The tables that a list of components may hold, by kind."""
    (entry,) = shape.model_fields[field].annotation.__args__  # type: ignore[union-attr]  # always list[...]
    union = entry.__args__[0]  # Annotated[A | B, Field(...)]
    return {member.model_fields["kind"].annotation.__args__[0]: member for member in union.__args__}


def _member(shape: type[BaseModel], field: str, kind: str) -> type[BaseModel]:
    return _members(shape, field)[kind]


def _tags(shape: type[BaseModel], loc: Location) -> str:
    return ", ".join(f"'{kind}'" for kind in _members(shape, str(loc[0])))
