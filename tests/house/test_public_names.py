"""The names that users may rely on."""

from __future__ import annotations

import inspect
import subprocess
import sys

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


def test_a_deprecated_name_still_works_and_warns() -> None:
    assert "DeadlineExceededError" not in NAMES
    with pytest.warns(DeprecationWarning, match=r"ha_rag\.DeadlineExceededError is deprecated: it is never raised"):
        error = ha_rag.DeadlineExceededError(2.0)
    assert isinstance(error, ha_rag.HaRagError)
    assert isinstance(error, TimeoutError)
    assert (str(error), error.after_s) == ("no answer within 2 s", 2.0)


def test_the_warning_about_a_deprecated_name_points_to_its_user() -> None:
    program = "import ha_rag\nha_rag.DeadlineExceededError"
    ended = subprocess.run([sys.executable, "-W", "default", "-c", program], capture_output=True, text=True, check=True)
    assert ended.stderr.startswith("<string>:2: DeprecationWarning")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'DeadlineExceeded'"):
        _ = ha_rag.DeadlineExceeded


def test_a_star_import_brings_just_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from ha_rag import *", names)
    assert set(names) - {"__builtins__"} == set(NAMES)
