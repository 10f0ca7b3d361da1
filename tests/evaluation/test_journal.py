"""Journal: what was measured is kept, whatever ends the run."""

from __future__ import annotations

import pytest

from ha_rag.errors import ConfigurationError, IndexBusyError
from ha_rag.evaluation.journal import Journal


def test_a_second_run_finds_what_the_first_has_kept(tmp_path):
    with Journal(tmp_path / "work" / "town.journal", "these questions") as journal:
        journal.add("q1", {"plans": ["ä"]})
        journal.add("q2", {"plans": []})

    with Journal(tmp_path / "work" / "town.journal", "these questions") as journal:
        assert journal.done == {"q1": {"plans": ["ä"]}, "q2": {"plans": []}}


def test_a_line_that_was_cut_short_is_left_out_and_the_next_ones_are_whole(tmp_path):
    file = tmp_path / "town.journal"
    with Journal(file, "these") as journal:
        journal.add("q1", {"plans": []})
        journal.add("q2", {"plans": []})
    file.write_bytes(file.read_bytes()[:-5])

    with Journal(file, "these") as journal:
        assert list(journal.done) == ["q1"]
        journal.add("q2", {"plans": [1]})
    with Journal(file, "these") as journal:
        assert journal.done == {"q1": {"plans": []}, "q2": {"plans": [1]}}


@pytest.mark.parametrize("content", [b"", b"{", b"\x00\xff\n\n", b'{"about": "these"}\nnot json\n'])
def test_a_damaged_file_is_begun_anew(tmp_path, content):
    file = tmp_path / "town.journal"
    file.write_bytes(content)

    with Journal(file, "these") as journal:
        assert journal.done == {}
        journal.add("q1", {})
    with Journal(file, "these") as journal:
        assert journal.done == {"q1": {}}


def test_what_was_measured_of_something_else_does_not_count(tmp_path):
    with Journal(tmp_path / "town.journal", "these") as journal:
        journal.add("q1", {})

    with Journal(tmp_path / "town.journal", "others") as journal:
        assert journal.done == {}


def test_two_runs_at_a_time_are_refused(tmp_path):
    with (
        Journal(tmp_path / "town.journal", "these"),
        pytest.raises(IndexBusyError, match="another `ha-rag evaluate`"),
        Journal(tmp_path / "town.journal", "these"),
    ):
        pass


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "work").write_text("a file")

    with pytest.raises(ConfigurationError, match=r"work/town.journal: cannot be written"):
        Journal(tmp_path / "work" / "town.journal", "these").__enter__()
