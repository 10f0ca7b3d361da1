"""What holds for every script of the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "ha_rag" / "dashboards" / "web"
SCRIPTS = sorted(WEB.glob("*.js"))
SETS_TEXT = re.compile(
    r"textContent\s*=|innerText|innerHTML|outerHTML|insertAdjacent|setAttribute|createTextNode|document\.(title|write)"
    r"|\.(title|placeholder)\s*="
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_only_one_module_sets_text_and_it_makes_it_harmless(script: Path):
    found = SETS_TEXT.findall(script.read_text(encoding="utf-8"))

    assert bool(found) == (script.name == "dom.js")
