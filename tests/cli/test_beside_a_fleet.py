"""Commands typed in the folder of a running fleet find it without being told where it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ha_rag.cli.own_name import own_name
from ha_rag.local_fleet.held_lock import HeldLock
from ha_rag.local_fleet.record import FOLDER, LOCK, FleetRecord
from ha_rag.local_fleet.standard_configuration import standard_configuration
from tests.cli.replica import Replica
from tests.cli.test_ask import ANSWER
from tests.cli.test_circuits import CALM
from tests.ports import free_port

NOBODY = f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def fleet(own_folder: Path, replica: Replica) -> Iterator[Replica]:
    """A fleet that nobody configured; its front and its provider are one stand-in."""
    configuration = own_folder / "private" / "ha_rag.toml"
    configuration.parent.mkdir()
    configuration.write_text(standard_configuration(int(replica.url.rpartition(":")[2])))
    (own_folder / FOLDER).mkdir()
    lock = HeldLock(own_folder / FOLDER / LOCK)
    assert lock.acquire()
    FleetRecord(process=os.getpid(), url=replica.url, configuration=configuration).write(own_folder / FOLDER)
    yield replica
    lock.release()


def test_its_circuits_are_shown(run, fleet):
    fleet.replies["GET", "/v1/circuits"] = (200, {"circuits": [CALM], "shared_state": "fresh", "replica": "rag-1"})
    fleet.replies["GET", "/v1/fleet"] = (200, {"replicas": [], "warnings": []})

    result = run("circuits")

    assert "from rag-1" in result.stdout
    assert result.stderr == ""


def test_one_whose_index_folder_is_configured_is_found_there(run, fleet, own_folder):
    fleet.replies["POST", "/v1/query"] = (200, ANSWER)
    (own_folder / FOLDER).rename(own_folder / "elsewhere")
    (own_folder / "ha_rag.toml").write_text('[index]\npath = "elsewhere"\n')

    assert run("ask", "Who?").stderr == ""


@pytest.mark.parametrize(
    "words",
    [
        ("ask", "Who?"),
        ("circuits",),
        ("circuits", "open", "a.b"),
        ("watch", "--once"),
        ("break", "embedder.primary"),
        ("mend",),
    ],
)
def test_where_no_fleet_was_started_a_command_says_which_other_one_it_tries(run, monkeypatch, words):
    monkeypatch.setattr("ha_rag.cli.replica_client.DEFAULT_URL", NOBODY)
    monkeypatch.setattr("ha_rag.cli.faults.DEFAULT_PROVIDER", NOBODY)

    result = run(*words)

    assert f"no fleet was started in this folder; trying {NOBODY}" in result.stderr
    assert result.exit_code == 1


def test_a_fleet_that_was_killed_is_not_asked(run, fleet, own_folder, monkeypatch):
    (own_folder / FOLDER / LOCK).unlink()
    monkeypatch.setattr("ha_rag.cli.replica_client.DEFAULT_URL", NOBODY)

    assert "no fleet was started in this folder" in run("circuits").stderr
    assert fleet.seen == []


def test_its_provider_is_broken_and_mended_whatever_its_port(run, fleet):
    fleet.replies["PUT", "/faults/chat"] = (200, {})
    fleet.replies["DELETE", "/faults"] = (200, {})

    assert run("break", "generator.primary").exit_code == 0
    assert run("mend").exit_code == 0
    asked = [("PUT", "/faults/chat"), ("DELETE", "/faults"), ("GET", "/v1/circuits")]  # the last: when they close
    assert [seen[:2] for seen in fleet.seen] == asked


def test_an_ingest_asks_its_embedders_so_that_no_column_is_left_behind(run, fleet, own_folder):
    (own_folder / "zebra.txt").write_text("The zebra is striped.")

    result = run("ingest", "zebra.txt")

    assert "POST /v1/embeddings" in {f"{method} {path}" for method, path, _, _ in fleet.seen}
    assert "embedder primary: 1 passages without a vector" in result.stdout  # the stand-in serves no embeddings


def test_a_configuration_of_ones_own_comes_first(run, fleet, own_folder):
    (own_folder / "ha_rag.toml").write_text('[[embedders]]\nname = "here"\nkind = "hashing"\n')
    (own_folder / "zebra.txt").write_text("The zebra is striped.")

    assert run("ingest", "zebra.txt").exit_code == 0
    assert fleet.seen == []


def test_a_program_on_the_path_is_called_by_its_name(tmp_path, monkeypatch):
    installed = tmp_path / "bin" / "ha-rag"
    installed.parent.mkdir()
    shutil.copy("/bin/true", installed)
    monkeypatch.setenv("PATH", str(installed.parent))

    assert own_name(str(installed)) == "ha-rag"


def test_a_program_elsewhere_is_called_as_it_was(monkeypatch):
    monkeypatch.setenv("PATH", "")

    assert own_name(".venv/bin/ha-rag") == ".venv/bin/ha-rag"
    assert own_name("/somewhere/ha_rag/__main__.py") == "ha-rag"
