"""What the documents draw and name is what the code does."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from ha_rag.learn.diagram import drawings
from ha_rag.ledger.store.keys import PARTS
from ha_rag.local_fleet.samples import sample_documents

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize(("file", "drawing"), list(drawings()), ids=lambda value: value[:10])
def test_the_drawings_are_made_from_the_codes_own_tables(file: str, drawing: str):
    kept = ROOT / "docs" / "images" / file
    assert kept.read_text(encoding="utf-8") == drawing, "python -m ha_rag.learn.diagram docs/images"
    assert any(f"images/{file})" in page.read_text(encoding="utf-8") for page in PAGES)


def test_every_sample_document_is_in_the_wheel():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    pages = {file.relative_to(ROOT) for file in sample_documents()}
    listed = {page for page in pages if str(page) in wheel or str(page.parent) in wheel}
    assert pages - listed == set()


def test_every_key_of_a_circuit_is_explained():
    page = (ROOT / "docs" / "ledger.md").read_text()
    assert [part for part in PARTS if f"`ha_rag:{{embedder.primary}}:{part}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_links_to_is_there(page: Path):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_breakers_examples_run(capsys: pytest.CaptureFixture[str]):
    page = (ROOT / "docs" / "breaker.md").read_text()
    for example in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(ast.parse(example), "docs/breaker.md", "exec"), {"__name__": "example"})
    assert capsys.readouterr().out.splitlines() == ["{'status': 'error'}", "charged order 7", "charged order 8"]


def test_every_file_that_the_tour_names_exists():
    tour = (ROOT / "docs" / "tour.md").read_text()
    paths = [path.relative_to(ROOT / "ha_rag").as_posix() for path in (ROOT / "ha_rag").rglob("*.py")]
    named = [name.removeprefix("ha_rag/") for name in re.findall(r"`([\w/]+\.py)`", tour)]
    assert [name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in paths)] == []


def test_the_tour_draws_the_layers_that_are_checked():
    tour = (ROOT / "docs" / "tour.md").read_text()
    drawing = tour.partition("```\n")[2].partition("```")[0]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [re.findall(r"\w+", layer) for layer in contracts[0]["layers"]]
    packages = [[name for name in layer if (ROOT / "ha_rag" / name).is_dir()] for layer in layers]
    line_of = {name: number for number, line in enumerate(drawing.splitlines()) for name in re.findall(r"(\w+)/", line)}
    assert [name for layer in packages for name in layer if name not in line_of] == []
    drawn = [min(line_of[name] for name in layer) for layer in packages if layer]
    assert drawn == sorted(drawn)
