"""Environments that hold ha_rag's wheel and what it brings, and nothing of this checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.house.code import ROOT

PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")
ANYWAY = {"pip", "setuptools"}
"""What `python -m venv` brings."""
_SIZES = """
import json
from importlib.metadata import distributions
files = {d.metadata["Name"].lower(): [d.locate_file(f) for f in d.files or []] for d in distributions()}
print(json.dumps({name: sum(f.stat().st_size for f in found if f.exists()) for name, found in files.items()}))
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment. `folder`: where it is; its programs run there, too."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def run(self, *command: str, code: int = 0) -> str:
        """What a program of this environment says; it must end with this code."""
        program = [str(self.folder / "bin" / command[0]), *command[1:]]
        done = subprocess.run(program, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def runs(self, code: str) -> str:
        """What this Python program prints. It sees neither PYTHONPATH nor this checkout."""
        return self.run("python", "-I", "-c", code).strip()

    @contextmanager
    def started(self, code: str) -> Iterator[subprocess.Popen[str]]:
        """The process that runs this Python program; it is killed at the end."""
        command = [self.python, "-I", "-c", code]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=self.folder, stdin=pipe, stdout=pipe, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def sizes(self) -> dict[str, int]:
        """Package -> bytes on the disk, without those that every environment has."""
        found: dict[str, int] = json.loads(self.runs(_SIZES))
        return {name: size for name, size in found.items() if name not in ANYWAY}


def build_wheel(folder: Path) -> Path:
    """The wheel of this checkout."""
    subprocess.run([sys.executable, *PIP, "wheel", "--no-deps", "--wheel-dir", folder, ROOT], check=True)
    (wheel,) = folder.glob("ha_rag-*.whl")
    return wheel


def install(folder: Path, wheel: Path, *extras: str) -> Environment:
    """A new environment in `folder`, with the wheel and these extras."""
    return install_named(folder, f"ha-rag[{','.join(extras)}] @ {wheel.as_uri()}")


def install_named(folder: Path, *packages: str) -> Environment:
    """A new environment in `folder`, with these packages, in the versions that ha_rag is tested with."""
    venv.create(folder, with_pip=True)
    environment = Environment(folder)
    if packages:
        environment.run("python", *PIP, "install", "--constraint", str(ROOT / "constraints.txt"), *packages)
    return environment
