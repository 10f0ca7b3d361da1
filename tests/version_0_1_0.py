"""ha_rag 0.1.0, unpacked from the repository's history, for tests of a mixed fleet."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

COMMIT = "fedab79e0d716bc783953e488cb58dc387f021c5"
REPOSITORY = Path(__file__).parent.parent


@dataclass(frozen=True)
class Version010:
    """The unpacked files. `environment`: variables that make a Python process import this version."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        # PYTHONSAFEPATH keeps the current folder, which has the current version, out of the import path.
        return {"PYTHONPATH": str(self.folder), "PYTHONSAFEPATH": "1"}

    def run(self, program: str, *given: Any) -> Any:
        """The JSON printed by `program` (Python source), which finds the arguments in the list `given`."""
        prepared = f"import json, sys\ngiven = json.loads(sys.argv[1])\n{program}"
        ran = subprocess.run(
            [sys.executable, "-c", prepared, json.dumps(given)],
            env={**os.environ, **self.environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)


def unpack(folder: Path) -> Version010:
    """Unpacks 0.1.0 into `folder`. Skips the test if the commit is missing (shallow clone) or Git is not installed."""
    command = ["git", "-C", str(REPOSITORY), "archive", COMMIT, "ha_rag", "tests", "compose", "deploy"]
    try:
        archived = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("0.1.0 cannot be unpacked: there is no git on the PATH")
    if archived.returncode != 0:
        pytest.skip(f"0.1.0 cannot be unpacked (commit {COMMIT[:7]}; a shallow clone?): {archived.stderr.decode()}")
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as tar:
        tar.extractall(folder, filter="data")
    old = Version010(folder)
    assert Path(old.run("import ha_rag; print(json.dumps(ha_rag.__file__))")).is_relative_to(folder)
    return old
