"""The examples of docs/testing-your-code.md are a test suite that passes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "testing-your-code.md"
PLUGINS = ("-p", "pytest_asyncio.plugin", "-p", "ha_rag.pytest_plugin", "-p", "no:cacheprovider")
SETTINGS = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-W", "error")


def test_the_examples_on_the_page_pass(tmp_path: Path) -> None:
    examples = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for name, source in examples:
        (tmp_path / name).write_text(source)
    tests = sum(source.count("def test_") for _, source in examples)
    assert tests >= 7
    assert len(examples) == PAGE.read_text().count("```python")

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *PLUGINS, *SETTINGS],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"{tests} passed" in ran.stdout, ran.stdout + ran.stderr
