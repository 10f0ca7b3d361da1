"""The pytest plugin, in a test run of its own."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALONE = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
MODULE = "ha_rag.pytest_plugin"
TESTS = """
def test_the_fixture_is_a_registry_with_a_manual_clock(circuit_registry):
    svc = circuit_registry.breaker("svc")
    while svc.admit().permitted:
        svc.admit().permit.failed()
    circuit_registry.advance(10.0)
    assert svc.state == "half_open"

def test_every_test_has_its_own(circuit_registry):
    assert circuit_registry.breaker("svc").state == "closed"
"""


def _pytest(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", MODULE, "-p", "no:cacheprovider", *words]
    ran = subprocess.run(command, cwd=folder, env=ALONE, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_a_test_run_finds_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text(TESTS)
    assert "2 passed" in _pytest(tmp_path)
    assert "circuit_registry" in _pytest(tmp_path, "--fixtures", "-q")


def test_a_test_run_that_does_not_use_it_does_not_import_the_breaker(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n\ndef test(): assert not [m for m in sys.modules if m.startswith('ha_rag.breaker')]\n"
    )
    assert "1 passed" in _pytest(tmp_path)


def test_the_wheel_registers_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {MODULE: MODULE}
