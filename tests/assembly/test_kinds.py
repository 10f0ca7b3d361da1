"""Component kinds: adding one takes one file, and everything else follows from its registration."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.kinds import EMBEDDERS, GENERATORS, RETRIEVERS, component_lists
from ha_rag.assembly.replica import build_replica
from ha_rag.assembly.tiers import embedder_tiers, generator_tiers, retriever_tiers
from ha_rag.assembly.trial import try_everything
from ha_rag.cli.app import app
from ha_rag.errors import ConfigurationError
from ha_rag.index import Index
from ha_rag.settings.reference import reference
from ha_rag.settings.tables import ComponentTable
from ha_rag.strategy.tier import Tier

MODULE = "tests.assembly.notes_retriever"
CONFIGURATION = """
[[retrievers]]
name = "desk"
kind = "notes"
notes = { "door.md" = "The door locks itself at eight.", "printer.md" = "The printer takes paper from below." }
"""
EVERY_KIND = """
[[embedders]]
name = "a"
kind = "openai"
base_url = "http://localhost:9/v1"
model = "m"
dimension = 8
[[embedders]]
name = "b"
kind = "local"
[[embedders]]
name = "c"
kind = "onnx"
[[embedders]]
name = "d"
kind = "hashing"
[[retrievers]]
name = "a"
kind = "local"
[[retrievers]]
name = "b"
kind = "reduced"
[[retrievers]]
name = "c"
kind = "lexical"
[[rerankers]]
name = "a"
kind = "http"
base_url = "http://localhost:9/v1"
model = "m"
[[rerankers]]
name = "b"
kind = "local"
[[generators]]
name = "a"
kind = "openai"
base_url = "http://localhost:9/v1"
model = "m"
[[generators]]
name = "b"
kind = "extractive"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a configuration file that uses the `notes` kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ha_rag.toml").write_text(CONFIGURATION)
    return tmp_path


@pytest.fixture
def notes() -> Iterator[None]:
    """Imports the file that registers the `notes` kind, and undoes it afterwards."""
    importlib.import_module(MODULE)
    yield
    RETRIEVERS.unregister("notes")
    del sys.modules[MODULE]


@pytest.mark.usefixtures("notes")
async def test_a_kind_from_one_file_is_loaded_checked_and_asked():
    settings = load_settings(variables={})
    assert settings.circuits["retriever.desk"].scope == "replica"

    findings = {finding.part: finding for finding in await try_everything(settings)}
    assert findings["retriever.desk"].verdict == "ok", findings["retriever.desk"]

    async with build_replica(settings).running() as replica:
        answer = await replica.rag.query("When is the door locked?")
    assert answer.served_by["retriever"] == "desk"
    assert [citation.document for citation in answer.citations] == ["door.md"]
    assert "The door locks itself at eight" in answer.text


@pytest.mark.usefixtures("notes")
def test_the_check_command_tries_a_registered_kind():
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == 0, result.output
    assert "retriever.desk" in result.stdout


@pytest.mark.usefixtures("notes")
@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("notes = {}", "retrievers[0].notes = {}: must not be empty"),
        ("", "retrievers[0].notes: is required"),
        ("notes = 7", "retrievers[0].notes = 7: must be a table, as in [retrievers.notes]"),
        ("note = {}", "retrievers[0].note = {}: unknown key; did you mean notes?"),
    ],
)
def test_the_settings_of_a_registered_kind_are_validated(folder, entry, problem):
    (folder / "ha_rag.toml").write_text(f'[[retrievers]]\nname = "desk"\nkind = "notes"\n{entry}\n')
    with pytest.raises(ConfigurationError) as refused:
        load_settings(variables={})
    assert problem in refused.value.problems


@pytest.mark.usefixtures("notes")
def test_the_reference_page_documents_a_registered_kind():
    page = reference(component_lists())
    assert '### `[[retrievers]]` with `kind = "notes"`\n\nNotes from the configuration file.' in page
    assert "| `notes` | (required) | The text of each note by name. |" in page


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError) as refused:
        load_settings(variables={})
    assert refused.value.problems == ("retrievers[0].kind = \"notes\": must be one of 'local', 'reduced', 'lexical'",)
    with pytest.raises(
        ConfigurationError, match="retriever kind 'notes': must be one of 'local', 'reduced', 'lexical'"
    ):
        RETRIEVERS.build(ComponentTable(name="desk", kind="notes"), load_settings("/dev/null", {}), Index("."))


def test_a_kind_cannot_be_registered_twice():
    with pytest.raises(ConfigurationError, match="embedder kind 'local': is already registered"):
        EMBEDDERS.register("local", ComponentTable)


def test_the_name_of_a_kind_must_be_one_that_a_file_can_hold():
    with pytest.raises(ConfigurationError, match="generator kind 'My LLM': must be lower-case letters"):
        GENERATORS.register("My LLM", ComponentTable)


async def test_each_built_in_kind_has_the_scope_that_its_component_declares(folder):
    (folder / "ha_rag.toml").write_text(EVERY_KIND)
    settings = load_settings(variables={})
    with Index(folder / "index") as index:
        tiers: list[Tier[Any]] = [
            *embedder_tiers(settings),
            *retriever_tiers(settings, index),
            *generator_tiers(settings),
        ]
    declared = ["replica" if getattr(tier.component, "in_process", False) else "fleet" for tier in tiers]
    assert [tier.scope for tier in tiers] == declared


def test_the_example_above_names_every_kind(folder):
    (folder / "ha_rag.toml").write_text(EVERY_KIND)
    components = load_settings(variables={}).components
    named = {type_: [table.kind for table in tables] for type_, tables in components.items()}
    assert named == {listed.component_type: list(listed.tables) for listed in component_lists()}


@pytest.mark.parametrize(("kind", "usual"), [("local", 0.25), ("hashing", 0.05), ("onnx", 0.5)])
async def test_an_embedder_weighs_what_its_kind_or_the_file_says(folder, kind, usual):
    for setting, expected in (("", usual), ("weight = 0.4", 0.4)):
        (folder / "ha_rag.toml").write_text(f'[[embedders]]\nname = "a"\nkind = "{kind}"\n{setting}\n')
        (tier,) = embedder_tiers(load_settings(variables={}))
        assert (await tier.component.embed("recover")).weight == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["local", "hashing", "onnx"])
def test_a_weight_outside_of_0_to_1_is_refused(folder, kind):
    (folder / "ha_rag.toml").write_text(f'[[embedders]]\nname = "a"\nkind = "{kind}"\nweight = 1.2\n')
    with pytest.raises(ConfigurationError) as refused:
        load_settings(variables={})
    assert "embedders[0].weight = 1.2: must be at most 1" in refused.value.problems
