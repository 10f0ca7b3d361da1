"""What the code imports is what an installation brings: a developer's machine has more than a user's."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import packages_distributions, requires

from tests.house.code import ROOT, imports, python_files


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=;!~ ]", requirement)[0].lower().replace("_", "-")


def _declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [needs for extra, needs in project["optional-dependencies"].items() if extra not in ("dev", "bench")]
    direct = {_name(requirement) for needs in (project["dependencies"], *extras) for requirement in needs}
    # What the web and the schema libraries hand out in their own interfaces comes with them.
    companions = {
        _name(requirement) for parent in ("aiohttp", "fastapi", "pydantic") for requirement in requires(parent) or ()
    }
    return direct | (companions & {"yarl", "multidict", "starlette", "pydantic-core"})


def test_everything_imported_is_a_declared_dependency() -> None:
    homes, declared = packages_distributions(), _declared()
    files = [path for path in python_files("ha_rag") if path.name != "pytest_plugin.py"]  # which only pytest imports
    modules = {name.split(".")[0] for path in files for name in imports(path)}
    foreign = modules - sys.stdlib_module_names - {"ha_rag"}
    undeclared = {m for m in foreign if not {_name(home) for home in homes.get(m, [m])} & declared}
    assert undeclared == set()
