"""What is done slice by slice has the same result as in one go, wherever the slices end."""

from __future__ import annotations

import hashlib
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.index import slices as module
from ha_rag.index.reading.decoding import tidy
from ha_rag.index.reading.files import DEFAULT_LIMITS, READING_VERSION, digest, read
from ha_rag.index.reading.walking import FoundFile
from ha_rag.index.slices import add_repr, decoded, slices
from ha_rag.index.splitting import DEFAULT_SPLITTING, SPLITTING_VERSION

texts = st.text(st.sampled_from("ab'\"\\\r\n\t\0é€\U0001f600\ud800\udfff\u2028\x85") | st.characters(), max_size=40)
sizes = st.integers(1, 5)


@given(texts, sizes)
def test_slices_are_the_text_and_split_no_line_end(text: str, size: int):
    parts = list(slices(text, size))
    assert "".join(parts) == text
    assert not any(a.endswith("\r") and b.startswith("\n") for a, b in pairwise(parts))
    assert all(len(part) <= size + 1 for part in parts)


@given(texts, sizes)
def test_the_hash_of_a_text_s_form_is_that_of_the_whole(text: str, size: int):
    found = hashlib.sha256()
    add_repr(found, text, size)
    assert found.hexdigest() == hashlib.sha256(repr(text).encode()).hexdigest()


@given(texts, sizes)
def test_a_text_is_tidied_as_in_one_go(text: str, size: int):
    whole = tidy(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ha_rag.index.reading.decoding.slices", lambda given: slices(given, size))
        assert tidy(text) == whole


@given(texts, sizes)
def test_bytes_are_decoded_as_in_one_go(text: str, size: int):
    data = text.encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SLICE", size)
        assert decoded(data) == text


def test_documents_that_were_indexed_before_are_unchanged():
    title, text, metadata = "It's a title", 'It\'s "quoted"\r\n\U0001f600', {"b": 1, "a": ["x"]}
    made_by = (READING_VERSION, SPLITTING_VERSION, DEFAULT_SPLITTING.max_tokens, DEFAULT_SPLITTING.overlap_tokens)
    whole = repr((made_by, title, text, sorted(metadata.items())))
    assert digest(title, text, DEFAULT_SPLITTING, metadata) == hashlib.sha256(whole.encode()).hexdigest()


LARGE = 9_900_000
FILES = {
    "line-ends.txt": b"\n" * LARGE,
    "words.txt": b"Bees hum. " * (LARGE // 10),
    "numbers.json": b"[" + b"1," * (LARGE // 2) + b"1]",
    "table.csv": b"a,b\n" * (LARGE // 4),
    "pictures.txt": "\U0001f600a".encode() * (LARGE // 5),
}
ITERATING = {"any", "join"}
"""They run Python, which lets other threads run."""


class Calls:
    """The longest call of something that is not written in Python, in CPU time."""

    def __init__(self) -> None:
        self.longest_s, self.what = 0.0, ""
        self._began_s: list[float] = []

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "c_call":
            self._began_s.append(time.thread_time())
        elif event in ("c_return", "c_exception") and self._began_s:
            took_s = time.thread_time() - self._began_s.pop()
            if took_s > self.longest_s and arg.__name__ not in ITERATING:
                self.longest_s, self.what = took_s, f"{arg.__name__} in {frame.f_code.co_name}"


@pytest.mark.parametrize("name", FILES)
def test_no_call_keeps_other_threads_waiting_while_a_large_file_is_taken_over(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(FILES[name])
    calls = Calls()
    sys.setprofile(calls)
    try:
        list(read(FoundFile(tmp_path / name, name, tmp_path), DEFAULT_LIMITS))
    finally:
        sys.setprofile(None)
    assert calls.longest_s < 0.05, calls.what
