"""`python -m workers.index`: what a stack or a pod runs before its replicas."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def mirrored(tmp_path: Path, **files: bytes) -> subprocess.CompletedProcess[str]:
    documents = tmp_path / "documents"
    documents.mkdir()
    for name, content in files.items():
        (documents / name.replace("_", ".")).write_bytes(content)
    (tmp_path / "ha_rag.toml").write_text('[[embedders]]\nname = "a"\nkind = "hashing"\n')
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "workers.index", str(documents)]
    return subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_folder_is_mirrored(tmp_path: Path) -> None:
    done = mirrored(tmp_path, a_md=b"# Bees\n\nThey hum.")
    assert done.returncode == 0, done.stderr
    assert "1 document: 1 new" in done.stdout


def test_an_empty_folder_gives_the_projects_own_documents(tmp_path: Path) -> None:
    done = mirrored(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "sample documents, which make room" in done.stdout


def test_a_file_that_cannot_be_read_is_said_and_the_others_are_kept(tmp_path: Path) -> None:
    done = mirrored(tmp_path, a_md=b"# Bees\n\nThey hum.", bad_pdf=b"no PDF")
    assert done.returncode == 1
    assert "1 document: 1 new" in done.stdout
    assert "not read: bad.pdf" in done.stdout
