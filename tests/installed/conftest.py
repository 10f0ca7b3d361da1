"""One wheel and one environment of each kind for the whole run: building them takes minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installed.environments import Environment, build_wheel, install


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """As after `pip install ha-rag`."""
    return install(tmp_path_factory.mktemp("core"), wheel)


@pytest.fixture(scope="session")
def cli(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """As after `pip install 'ha-rag[cli]'`."""
    return install(tmp_path_factory.mktemp("cli"), wheel, "cli")


@pytest.fixture(scope="session")
def everything(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """As after `pip install 'ha-rag[all]'`."""
    return install(tmp_path_factory.mktemp("all"), wheel, "all")
