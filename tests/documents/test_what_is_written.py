"""Every piece of Python, TOML and PromQL in README and docs/ is what it says it is."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import io
import re
import textwrap
import tomllib
from pathlib import Path

import promql_parser
import pytest

from ha_rag import (
    CircuitRegistry,
    FallbackStrategy,
    HighAvailabilityRAG,
    PrimaryEmbedder,
    PrimaryGenerator,
    PrimaryRetriever,
)
from ha_rag.assembly.configuration import load_settings
from tests.documents.pages import ROOT, Snippet, snippet, snippets

TOML = [each for each in snippets() if each.language == "toml"]
PYTHON_RUN_HERE = {"README.md", "docs/security.md", "docs/watching.md"}
PYTHON_RUN_ELSEWHERE = {"docs/breaker.md", "docs/testing-your-code.md"}
"""tests/house/test_docs.py, tests/testing/test_testing_page.py"""
PYTHON_GENERATED = {"docs/api.md"}
"""Signatures, from the code itself."""
PYTHON_QUOTED = {"docs/tour.md"}
QUOTED = [each for each in snippets() if each.page in PYTHON_QUOTED and each.language == "python"]


def test_every_page_with_python_is_looked_at() -> None:
    pages = {each.page for each in snippets() if each.language == "python"}
    assert pages == PYTHON_RUN_HERE | PYTHON_RUN_ELSEWHERE | PYTHON_GENERATED | PYTHON_QUOTED


async def test_the_readmes_guarded_call_charges_an_order(any_redis_url: str) -> None:
    code = snippet("README.md", "python").replace("redis://localhost:6379/0", any_redis_url)

    async def charge(order: str) -> str:
        return f"charged {order}"

    told = await run_inside_a_loop(code + "print(receipt)\n", charge=charge, order="order 7")
    assert told == "charged order 7\n"


async def test_a_programs_look_at_its_components_runs() -> None:
    strategy = FallbackStrategy(
        embedders=[PrimaryEmbedder()], retrievers=[PrimaryRetriever(["a text"])], generators=[PrimaryGenerator()]
    )
    async with HighAvailabilityRAG(strategy) as rag:
        await rag.query("What is it?")
        told = await run_inside_a_loop(snippet("docs/watching.md", "python"), rag=rag)
    assert "embedder.primary" in told


async def test_the_credential_provider_is_asked_for_the_password() -> None:
    class Vault:
        def read(self, path: str) -> str:
            return f"what is at {path}"

    code = snippet("docs/security.md", "python") + "print(FromVault().get_credentials())\n"
    told = await run_inside_a_loop(code, CircuitRegistry=CircuitRegistry, vault=Vault())
    assert told == "('ha_rag', 'what is at redis/password')\n"


async def run_inside_a_loop(code: str, **names: object) -> str:
    """What the code prints; it may await, as in a reader's own coroutine."""
    lines = code.splitlines()
    imports = [line for line in lines if line.startswith(("from ", "import "))]
    body = "\n".join(line for line in lines if line not in imports)
    program = "\n".join([*imports, "async def typed():", textwrap.indent(body, "    ")])
    space: dict[str, object] = dict(names)
    exec(compile(ast.parse(program), "snippet", "exec"), space)
    typed = space["typed"]
    assert asyncio.iscoroutinefunction(typed)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        await typed()
    return out.getvalue()


@pytest.mark.parametrize("quoted", QUOTED, ids=lambda each: each.text[:20])
def test_what_the_tour_quotes_stands_in_the_code(quoted: Snippet) -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "ha_rag").rglob("*.py"))
    assert re.sub(r"\s+", " ", quoted.text).strip() in re.sub(r"\s+", " ", code)


@pytest.mark.parametrize("written", TOML, ids=lambda each: each.page)
def test_every_configuration_in_the_documents_is_accepted(
    written: Snippet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in re.findall(r'_env = "(\w+)"', written.text):
        monkeypatch.setenv(name, "a-key")
    file = tmp_path / "ha_rag.toml"
    file.write_text(written.text, encoding="utf-8")
    assert tomllib.loads(written.text)
    assert load_settings(file).source is not None


def test_every_expression_for_prometheus_can_be_parsed() -> None:
    lines = re.sub(r"\n\s+", " ", re.sub(r"\s+# .*$", "", snippet("docs/watching.md", "promql"), flags=re.MULTILINE))
    for expression in lines.splitlines():
        promql_parser.parse(expression)
