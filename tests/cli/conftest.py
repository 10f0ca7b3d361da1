"""The command line in a folder and an environment of its own, and a replica for it to talk to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ha_rag.cli.app import app
from tests.cli.replica import Replica
from tests.cli.replica import replica as running_replica

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of the machine's own environment or folder is read."""
    for name in ("HA_RAG_CONFIG", "HA_RAG_REDIS_URL", "HA_RAG_ADMIN_TOKEN", "HA_RAG_API_KEYS", "HA_RAG_REPLICA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run() -> Run:
    """Runs `ha-rag` with these words. Nothing but an exit may come out of it."""

    def called(*words: str) -> Result:
        result = CliRunner().invoke(app, list(words))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return called


@pytest.fixture
def replica() -> Iterator[Replica]:
    with running_replica() as stand_in:
        yield stand_in
