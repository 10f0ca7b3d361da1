"""A Docker engine: the one that is here, else the one that the folder beside this checkout can start."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.compose.stack import ROOT, Stack
from tests.ports import free_port

STARTER = ROOT.parent / "shared" / "engine" / "up"
NO_ENGINE = f"needs a Docker engine, and there is none here, nor a way to start one ({STARTER.name})"


@pytest.fixture(scope="session")
def engine() -> dict[str, str]:
    """The environment in which `docker` finds its engine."""
    if _answers({}):
        return {}
    if not STARTER.is_file():
        pytest.skip(NO_ENGINE)
    said = subprocess.run([STARTER], stdout=subprocess.PIPE, text=True, check=True, timeout=900).stdout
    started = dict(re.findall(r"export (\w+)=[\"']?([^\"'\n]+)", said))
    assert _answers(started), said
    return started


def _answers(environment: dict[str, str]) -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "info"], env={**os.environ, **environment}, capture_output=True, check=False)
    return asked.returncode == 0


@pytest.fixture(scope="module")
def stack(engine: dict[str, str]) -> Iterator[Stack]:
    """The stack as the README starts it, with three replicas."""
    with _up(Stack(engine, f"ha_rag_test_{os.getpid()}", free_port())) as stack:
        yield stack


class _up:  # noqa: N801 - read as a verb
    """Brings a stack up; takes it down and says what it said where the test failed."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def __enter__(self) -> Stack:
        try:
            self._stack.up()
        except BaseException:
            print(self._stack.logs())
            self._stack.down()
            raise
        return self._stack

    def __exit__(self, *_: object) -> None:
        self._stack.down()
