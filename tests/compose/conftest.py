"""A Docker engine: the one that is here, else the one that the folder beside this checkout can start."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.compose.stack import ROOT, Stack
from tests.ports import free_port

STARTER = ROOT.parent / "shared" / "engine" / "up"
NO_ENGINE = f"needs a Docker engine, and there is none here, nor a way to start one ({STARTER.name})"


@pytest.fixture(scope="session")
def engine() -> Iterator[dict[str, str]]:
    """The environment in which `docker` finds its engine; one that was started for these tests ends after them."""
    if _answers({}):
        yield {}
        return
    if not STARTER.is_file():
        pytest.skip(NO_ENGINE)
    # Into a file: the engine that it leaves running would hold a pipe open.
    with tempfile.TemporaryFile("w+") as out:
        subprocess.run([STARTER], stdout=out, check=True, timeout=900)
        out.seek(0)
        said = out.read()
    started = dict(re.findall(r"export (\w+)=[\"']?([^\"'\n]+)", said))
    assert _answers(started), said
    yield started
    subprocess.run([STARTER.with_name("down")], check=True, timeout=60)


def _answers(environment: dict[str, str]) -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "info"], env={**os.environ, **environment}, capture_output=True, check=False)
    return asked.returncode == 0


@pytest.fixture(scope="module")
def stack(engine: dict[str, str]) -> Iterator[Stack]:
    """The stack as the README starts it, with three replicas."""
    with _brought_up(_stack(engine)) as stack:
        yield stack


StackWith = Callable[..., AbstractContextManager[Stack]]


@pytest.fixture
def stack_with(engine: dict[str, str]) -> StackWith:
    """Brings up the stack with an overlay: `with stack_with("tls") as stack`. `services`: only these."""

    def brought_up(*overlays: str, services: Sequence[str] = (), **variables: str) -> AbstractContextManager[Stack]:
        return _brought_up(_stack(engine, *overlays, **variables), services)

    return brought_up


def _stack(engine: dict[str, str], *overlays: str, **variables: str) -> Stack:
    return Stack(engine, f"ha_rag_test_{os.getpid()}", free_port(), *overlays, **variables)


@contextmanager
def _brought_up(stack: Stack, services: Sequence[str] = ()) -> Iterator[Stack]:
    try:
        stack.up(*services)
        yield stack
    except BaseException:
        print(stack.logs())
        raise
    finally:
        stack.down()
