"""`[cache]` keeps what it keeps in Redis: without one, a warning says that it has no effect."""

from __future__ import annotations

import pytest

from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.replica import build_replica

NO_EFFECT = "[cache] has no effect: no Redis is configured to keep embeddings and answers in"


@pytest.mark.parametrize(
    ("text", "variables", "warned"),
    [
        ("[cache]\n", {}, [NO_EFFECT]),
        ("[cache]\nanswers = false\n", {}, [NO_EFFECT]),
        ("[cache]\nanswers = false\nembeddings = false\n", {}, []),
        ("", {}, []),
        ("[cache]\n", {"HA_RAG_REDIS_URL": "redis://127.0.0.1:1/0"}, []),
        ('[cache]\n[fleet]\nredis_url = "redis://127.0.0.1:1/0"\n', {}, []),
    ],
)
def test_only_caches_that_cannot_keep_anything_are_warned_of(tmp_path, text, variables, warned):
    file = tmp_path / "ha_rag.toml"
    file.write_text(text)

    warnings = load_settings(file, variables=variables).warnings

    assert warnings == tuple(warned)
    assert all((each.part, "fleet.redis_url" in each.mend) == ("cache", True) for each in warnings)


async def test_a_replica_says_it_and_answers(tmp_path, caplog):
    file = tmp_path / "ha_rag.toml"
    file.write_text(f'[cache]\n[index]\npath = "{tmp_path}/index"\n')

    async with build_replica(load_settings(file, variables={})).running() as replica:
        answer = await replica.rag.query("How?")

    assert answer.text
    assert caplog.messages.count(NO_EFFECT) == 1
