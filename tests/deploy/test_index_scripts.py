"""The index is published by one and fetched by many: the scripts of deploy/kubernetes, run as its containers run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ha_rag.index.index import Index

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "deploy" / "kubernetes" / "base"
CONFIGURATION = '[[embedders]]\nname = "only"\nkind = "hashing"\n'


class Cluster:
    """A volume with documents, one for what is published, and pods that come and go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.documents, self.published = folder / "documents", folder / "published"
        self.documents.mkdir()
        self.published.mkdir()
        (folder / "ha_rag.toml").write_text(CONFIGURATION)
        self._pods = 0

    def _run(self, script: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        self._pods += 1
        pod = self.folder / f"pod-{self._pods}"
        pod.mkdir()
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HA_RAG_CONFIG": str(self.folder / "ha_rag.toml"),
            "HOME": str(pod),
        }
        return subprocess.run(
            ["sh", SCRIPTS / script, *words], cwd=pod, env=environment, capture_output=True, text=True, check=False
        )

    def publish(self) -> subprocess.CompletedProcess[str]:
        return self._run("publish.sh", self.documents, self.published)

    def fetch(self, replica: str) -> subprocess.CompletedProcess[str]:
        return self._run("fetch.sh", self.published, self.folder / replica)

    def held(self, replica: str) -> int:
        """How many documents a replica finds in what it fetched."""
        with Index(self.folder / replica) as index:
            assert index.problem is None
            return index.documents


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    cluster = Cluster(tmp_path)
    (cluster.documents / "a.md").write_text("# Storks\n\nStorks nest on roofs.\n")
    return cluster


def test_what_was_published_is_what_a_replica_fetches(cluster: Cluster) -> None:
    done = cluster.publish()
    assert done.returncode == 0, done.stderr
    assert cluster.fetch("r1").returncode == 0
    assert cluster.held("r1") == 1


def test_a_replica_before_the_first_index_says_how_to_make_one_and_does_not_start(cluster: Cluster) -> None:
    done = cluster.fetch("r1")
    assert done.returncode != 0
    assert "kubectl -n ha-rag create job --from=cronjob/index" in done.stderr


def test_the_next_index_holds_what_changed_and_the_one_before_it_stays_for_who_is_fetching_it(cluster: Cluster) -> None:
    cluster.publish()
    first = (cluster.published / "current").readlink()
    (cluster.documents / "b.md").write_text("# Cranes\n\nCranes dance.\n")
    again = cluster.publish()
    assert "1 new, 0 changed, 1 unchanged" in again.stdout
    cluster.fetch("r2")
    assert not list((cluster.folder / "r2").glob("*-wal"))
    assert cluster.held("r2") == 2
    assert (cluster.published / first / "index.sqlite3").exists()
    cluster.publish()
    assert len(list(cluster.published.glob("index-*"))) == 2
    assert not (cluster.published / first).exists()


def test_a_job_that_died_in_the_middle_is_in_nobodys_way(cluster: Cluster) -> None:
    cluster.publish()
    (cluster.published / ".unfinished").mkdir()
    (cluster.published / ".unfinished" / "index.sqlite3").write_text("half")
    (cluster.published / ".current").symlink_to("nowhere")
    cluster.fetch("meanwhile")
    assert cluster.held("meanwhile") == 1
    assert cluster.publish().returncode == 0
    cluster.fetch("after")
    assert cluster.held("after") == 1
    assert not (cluster.published / ".unfinished").exists()


def test_a_document_that_cannot_be_read_fails_the_job_but_withholds_nothing(cluster: Cluster) -> None:
    (cluster.documents / "broken.pdf").write_bytes(b"no PDF")
    done = cluster.publish()
    assert done.returncode == 1
    assert "broken.pdf" in done.stdout
    assert cluster.fetch("r1").returncode == 0
    assert cluster.held("r1") == 1


def test_a_configuration_that_is_refused_publishes_nothing(cluster: Cluster) -> None:
    (cluster.folder / "ha_rag.toml").write_text("[server]\nprot = 1\n")
    assert cluster.publish().returncode != 0
    assert list(cluster.published.iterdir()) == []
