"""The wheel, installed into an empty environment: alone, with the command line, and with everything."""

from __future__ import annotations

import textwrap

import pytest

from tests.documents.pages import snippet
from tests.installed.environments import Environment
from tests.redis_servers import RedisProcess

pytestmark = pytest.mark.timeout(900)

MOST_PACKAGES = 5
MOST_BYTES = 15_000_000
PUBLIC = """
import ha_rag
for name in ha_rag.__all__:
    try:
        getattr(ha_rag, name)
    except ImportError as error:
        print(f"{name}: {error}")
"""
PROGRAM = """
import asyncio

async def charge(order):
    {charge}

async def typed(order="order 7"):
{beginning}
        async def once():
    {call}
            return receipt
        await calls(once)

async def calls(once):
    said = None
    while said != "CircuitOpenError":
        before = said
        try:
            said = await once()
        except Exception as error:
            said = type(error).__name__
        if said != before:
            print(said, flush=True)
        if said == "charged order 7":
            await asyncio.to_thread(input)

asyncio.run(asyncio.wait_for(typed(), 60))
"""


def readmes_program(redis_url: str, replica: str, charge: str) -> str:
    """The README's snippet as a program, which repeats its call until it is refused, and says what is new.

    After a call that succeeded it waits for a line.
    """
    text = snippet("README.md", "python").replace("redis://localhost:6379/0", redis_url)
    *beginning, call = text.replace('replica="a"', f'replica="{replica}"').splitlines()
    return PROGRAM.format(
        charge=charge, beginning=textwrap.indent("\n".join(beginning), "    "), call=textwrap.indent(call, "    ")
    )


def check_the_readmes_circuit_in_two_processes(environment: Environment, redis_url: str) -> None:
    """One process makes a call that succeeds, the other one calls that fail: then the first one is refused, too."""
    with environment.started(readmes_program(redis_url, "b", 'return f"charged {order}"')) as working:
        assert working.stdout is not None
        assert working.stdout.readline() == "charged order 7\n"
        assert environment.runs(readmes_program(redis_url, "a", "raise ConnectionError")).split() == [
            "ConnectionError",
            "CircuitOpenError",
        ]
        assert working.communicate("\n" * 100, timeout=60)[0] == "CircuitOpenError\n"


def test_the_core_is_small(core: Environment) -> None:
    sizes = core.sizes()
    assert "ha-rag" in sizes
    assert len(sizes) <= MOST_PACKAGES, sizes
    assert sum(sizes.values()) <= MOST_BYTES, sizes
    assert "numpy" not in sizes


def test_a_circuit_runs_with_the_core_alone_in_two_processes(core: Environment, redis_server: RedisProcess) -> None:
    check_the_readmes_circuit_in_two_processes(core, redis_server.url)


def test_every_public_name_is_there_with_the_core_alone_or_names_its_extra(core: Environment) -> None:
    missing = core.runs(PUBLIC).splitlines()
    assert missing
    assert [line for line in missing if not line.endswith("pip install 'ha-rag[rag]'")] == []
    assert [line for line in missing if line.startswith("Circuit")] == []


def test_a_public_name_without_its_extra_says_what_to_install(core: Environment) -> None:
    said = core.run("python", "-I", "-c", "from ha_rag import HighAvailabilityRAG", code=1)
    assert "ha_rag.HighAvailabilityRAG needs numpy, which is not installed: pip install 'ha-rag[rag]'" in said


@pytest.mark.parametrize("command", [("ha-rag",), ("ha-rag", "up"), ("python", "-m", "ha_rag")], ids=" ".join)
def test_the_command_without_its_extra_says_what_to_install(core: Environment, command: tuple[str, ...]) -> None:
    said = core.run(*command, code=1)
    assert said == "ha-rag: the command needs typer, which is not installed: pip install 'ha-rag[cli]'\n"


def test_the_command_line_alone_shows_a_fleet_and_steers_none(cli: Environment, redis_server: RedisProcess) -> None:
    assert "reachable" in cli.run("ha-rag", "watch", "--once", "--url", redis_server.url)
    assert "ha-rag 0." in cli.run("ha-rag", "--version")
    assert "internal error" not in cli.run("ha-rag", "circuits", "--url", "http://127.0.0.1:9", code=1)


@pytest.mark.parametrize(
    ("command", "extras"),
    [("up", "local,server"), ("drill", "local,server"), ("serve", "server"), ("check", "server"), ("learn", "rag")],
)
def test_a_command_without_an_extra_names_all_that_it_needs(cli: Environment, command: str, extras: str) -> None:
    said = cli.run("ha-rag", command, code=1)
    assert said.startswith(f"ha-rag: `{command}` needs ")
    assert said.endswith(f"which is not installed: pip install 'ha-rag[{extras}]'\n")


def test_a_circuit_runs_with_everything_in_two_processes(everything: Environment, redis_server: RedisProcess) -> None:
    check_the_readmes_circuit_in_two_processes(everything, redis_server.url)


def test_every_public_name_is_there_with_everything(everything: Environment) -> None:
    assert everything.runs(PUBLIC) == ""


def test_the_pipeline_answers_and_its_commands_run_with_everything(everything: Environment) -> None:
    assert everything.run("ha-rag", "learn", "--auto", "--scenario", "normal") != ""
    assert "embedder.primary" in everything.run("ha-rag", "check")
