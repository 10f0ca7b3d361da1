"""What type checkers infer about a guarded program (`typed/`), under their strictest settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TYPED = ROOT / "tests" / "breaker" / "typed"


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_strict_keeps_the_types_of_guarded_functions_and_narrows_admissions(tmp_path: Path) -> None:
    strict = ("--strict", "--config-file=", f"--cache-dir={tmp_path}", "--follow-imports=silent")
    _run(sys.executable, "-m", "mypy", *strict, *sorted(TYPED.glob("*.py")))


def test_pyright_does_so_too() -> None:
    """Its fork basedpyright, whose wheel brings all that it needs, with the rules of pyright."""
    basedpyright = Path(sys.executable).with_name("basedpyright")
    _run(basedpyright, "--pythonpath", sys.executable, "--level", "error", TYPED / "program.py")
