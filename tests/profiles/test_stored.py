"""The profile beside the index: whole or absent, and what is wrong with one that cannot be used."""

from __future__ import annotations

import json

import pytest

from ha_rag.errors import ConfigurationError
from ha_rag.profiles.profile import profile_json
from ha_rag.profiles.stored import PROFILE as NAME
from ha_rag.profiles.stored import stamp_of, store_profile, stored_profile
from tests.profiles.profiles import PROFILE


def test_what_is_stored_is_read_and_replaced(tmp_path):
    assert (stored_profile(tmp_path), stamp_of(tmp_path)) == (None, None)

    store_profile(tmp_path, PROFILE)
    first = stamp_of(tmp_path)

    assert stored_profile(tmp_path) == PROFILE
    store_profile(tmp_path, PROFILE)
    assert stamp_of(tmp_path) != first
    assert [file.name for file in tmp_path.iterdir()] == [NAME]


def test_it_gives_the_pipeline_its_figures():
    table = PROFILE.table()

    assert table.figures["zero", "primary", "none"] == 0.7
    assert table.answers["primary", "primary", "none", "quotes"] == 0.6
    assert table.seconds == {"embedder.primary": 0.04}
    assert (table.measured_on, table.source) == ("handbook", "profile")


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1]", b"\xff\xfe", profile_json(PROFILE)[:200], profile_json(PROFILE).replace(b"0.8,", b'"good",')],
)
def test_a_damaged_file_is_named_with_the_remedy(tmp_path, content):
    (tmp_path / NAME).write_bytes(content)

    with pytest.raises(
        ConfigurationError, match=r"quality.json: is no profile of this version .*; run `ha-rag evaluate`"
    ):
        stored_profile(tmp_path)


@pytest.mark.parametrize("figure", [-0.1, 1.5])
def test_a_figure_that_cannot_be_is_refused(tmp_path, figure):
    content = json.loads(profile_json(PROFILE))
    content["plans"][0]["ndcg"] = figure
    (tmp_path / NAME).write_text(json.dumps(content))

    with pytest.raises(ConfigurationError, match="must be from 0 to 1"):
        stored_profile(tmp_path)


def test_a_later_format_is_refused(tmp_path):
    content = json.loads(profile_json(PROFILE)) | {"format": 2}
    (tmp_path / NAME).write_text(json.dumps(content))

    with pytest.raises(ConfigurationError, match="has the format 2; this version reads 1"):
        stored_profile(tmp_path)


def test_a_folder_in_its_place_is_no_profile(tmp_path):
    (tmp_path / NAME).mkdir()

    assert stored_profile(tmp_path) is None
    with pytest.raises(ConfigurationError, match=r"quality.json: cannot be written"):
        store_profile(tmp_path, PROFILE)
    assert [file.name for file in tmp_path.iterdir()] == [NAME]
