"""The readers of each form: what is missing is named, and nothing else is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.extract import RawFile
from ha_rag.index.reading.kinds import FORMS
from ha_rag.index.reading.readers import read_as, reader_of


@pytest.mark.parametrize("form", sorted(set(FORMS.values()) - {"jsonl"}))
def test_every_form_has_a_reader(form: str) -> None:
    assert callable(reader_of(form))


@pytest.mark.parametrize(
    ("form", "module"),
    [
        ("slides", "pptx"),
        ("sheets", "python_calamine"),
        ("opendocument", "odfdo"),
        ("rich_text", "striprtf"),
    ],
)
def test_a_reader_whose_extra_is_missing_names_it(form: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"ha_rag.index.reading.{form}", raising=False)
    with pytest.raises(UnreadableDocumentError, match=rf"needs {module}, .*pip install 'ha-rag\[documents\]'"):
        read_as(form, RawFile(name="a", data=b""))


def test_importing_the_index_loads_no_parser() -> None:
    """A replica that only answers questions starts faster without them."""
    parsers = {"chardet", "selectolax", "pypdfium2", "pypdf", "pptx", "odfdo", "yaml", "markdown_it"}
    code = f"import sys, ha_rag.index; print(sorted(set(sys.modules) & {parsers}))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
