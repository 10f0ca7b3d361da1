"""The names that users may rely on."""

from __future__ import annotations

import inspect

import pytest

import ha_rag
from ha_rag import interfaces

NAMES = list(getattr(ha_rag, "__all__", []))
PROTOCOL = {
    name for room in (interfaces.Embedder, interfaces.Retriever, interfaces.StreamingGenerator) for name in dir(room)
}
"""What a component's methods do is said once, where the interface is."""


def test_public_names_are_listed_sorted_and_once() -> None:
    assert NAMES
    assert sorted(set(NAMES)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_exists_and_says_what_it_is(name: str) -> None:
    value = getattr(ha_rag, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__doc__, f"{name} has no docstring"


@pytest.mark.parametrize("name", NAMES)
def test_public_methods_say_what_they_do(name: str) -> None:
    value = getattr(ha_rag, name)
    if not inspect.isclass(value) or issubclass(value, BaseException):
        return
    own = {name: method for name, method in vars(value).items() if inspect.isfunction(method) and name[0] != "_"}
    assert [name for name, method in own.items() if not inspect.getdoc(method) and name not in PROTOCOL] == []


def test_a_star_import_brings_just_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from ha_rag import *", names)
    assert set(names) - {"__builtins__"} == set(NAMES)
