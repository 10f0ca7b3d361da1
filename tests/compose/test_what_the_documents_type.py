"""The commands of README and docs/ that begin with docker, typed in their order."""

from __future__ import annotations

import json
import shlex
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.compose.conftest import StackWith
from tests.compose.stack import ROOT, UP_S, Stack
from tests.compose.talking import call, replicas, until
from tests.documents.pages import commands
from tests.documents.test_what_is_typed import BY_COMPOSE, NOBODY

pytestmark = [pytest.mark.compose, pytest.mark.timeout(900)]

MINE = [each for each in commands() if each.text.startswith(BY_COMPOSE) and not each.text.startswith(tuple(NOBODY))]
UPGRADE = [each.text for each in MINE if each.page == "docs/deploying.md"]
SESSION = [each.text for each in MINE if each.page == "README.md" and each.text.startswith("docker compose")]
IMAGE = [each.text for each in MINE if each.text not in (*UPGRADE, *SESSION)]
OVERLAYS = [
    line.split("`")[1]
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and "`docker compose -f" in line
]


def typed(stack: Stack, command: str) -> str:
    """What the command says; `docker compose` is the one of this stack, which has a name and a port of its own."""
    words = shlex.split(command)
    if words[:2] == ["docker", "compose"]:
        inside = words[2:3] == ["exec"]
        return stack.compose(*(["exec", "-T", *words[3:]] if inside else words[2:]), timeout_s=UP_S)
    return stack.docker(*[word for word in words[1:] if word != "-it"], timeout_s=UP_S)


def shows(stack: Stack, count: int) -> bool:
    """Whether the dashboard shows so many; before the stack stands, the gateway has nobody to ask for it."""
    return call(stack, "/v1/fleet")[0] == call(stack, "/health/ready")[0] == 200 and len(replicas(stack)) == count


def test_the_readmes_session_goes_as_it_says(stack_with: StackWith) -> None:
    with stack_with() as stack:
        for command in SESSION:
            typed(stack, command)
            if "--scale rag=" in command:
                wanted = int(command.partition("rag=")[2].split()[0])
                until(partial(shows, stack, wanted), 60, f"{wanted} replicas are shown")
            if "kill redis" in command:
                assert json.loads(call(stack, "/health")[1])["status"]
        assert "down" in SESSION[-1]
        assert stack.left() == ""


def test_an_upgrade_one_replica_at_a_time_loses_no_question(stack_with: StackWith) -> None:
    assert len(UPGRADE) == 3
    with stack_with() as stack:
        until(partial(shows, stack, 3), 60, "three are there")
        before = stack.containers("rag")
        with stack.asked(per_s=10, for_s=25) as load:
            for line in UPGRADE:
                for command in line.replace("CONTAINER", before[0]).split(" && "):
                    typed(stack, command)
            until(partial(shows, stack, 3), 60, "three again")
        assert load.lost == {}
        assert before[0] not in stack.containers("rag")


@pytest.mark.parametrize("command", IMAGE)
def test_the_image_is_built_and_teaches(command: str, engine: dict[str, str]) -> None:
    said = typed(Stack(engine, "ha_rag_typed", 0), command)
    assert "learn" not in command or "Left before the end" in said


@pytest.mark.parametrize("command", OVERLAYS)
def test_an_overlay_is_one_command(command: str) -> None:
    files = [Path(word) for word in shlex.split(command) if word.endswith(".yaml")]
    assert len(files) == 2
    overlay = files[1].stem
    tried = (ROOT / "tests" / "compose" / "test_overlays.py").read_text(encoding="utf-8")
    assert f'"{overlay}"' in tried, "brought up, or validated where its image is not here"
    assert yaml.safe_load((ROOT / files[1]).read_text(encoding="utf-8"))["services"]
