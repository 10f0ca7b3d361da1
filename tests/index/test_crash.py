"""kill -9 of a real ingest at critical points: no indexed document is lost, and the next run continues."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ha_rag.index import Index, ingest
from tests.index.places import TestEmbedder, found, nearest, put, write_files

ROOT = Path(__file__).parents[2]
DYING = """
import asyncio, os, signal, sys
from ha_rag.index import Index, collector, compaction, ingest, publishing
from tests.index.places import TestEmbedder

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

calls = 0
def die_at_second(original):
    def wrapped(*args, **more):
        global calls
        calls += 1
        return die() if calls == 2 else original(*args, **more)
    return wrapped

collector.BATCH_DOCUMENTS = 4
compaction.EXACT_FLOATS = 32
exec(sys.argv[3])
asyncio.run(ingest([sys.argv[2]], Index(sys.argv[1]), {"primary": TestEmbedder()}))
"""
MOMENTS = {
    "before the lexical index is written": "publishing.write_lexical = die_at_second(publishing.write_lexical)",
    "after the lexical index is written": "publishing._apply_states = die_at_second(publishing._apply_states)",
    "before the graph is saved": "compaction.Graph.save = die",
    "before the graph is registered": "compaction._point_to = die_at_second(compaction._point_to)",
    "while the passages are embedded": "TestEmbedder.embed_many = die_at_second(TestEmbedder.embed_many)",
}


def _killed_ingest(folder: Path, docs: Path, moment: str) -> None:
    command = [sys.executable, "-c", DYING, str(folder), str(docs), MOMENTS[moment]]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


@pytest.mark.parametrize("moment", MOMENTS)
async def test_an_ingest_that_was_killed_continues_when_it_is_run_again(
    index: Index, tmp_path: Path, moment: str
) -> None:
    texts = {f"d{n:02}.txt": f"animal{n} grazes" for n in range(12)}
    docs = write_files(tmp_path / "docs", texts)
    put(index, {"before": "whales dive", "d00.txt": "an older animal0"})

    _killed_ingest(index.folder, docs, moment)

    index.refresh()
    assert index.problem is None
    assert found(index, "whales") == ["before"]
    assert found(index, "animal0")

    report = await ingest([docs], index, {"primary": TestEmbedder()})
    assert report.unchanged + report.added + report.changed == 12
    assert report.unreadable == ()
    assert index.problem is None
    assert index.spaces()[0].complete
    assert found(index, "whales") == ["before"]
    for name, text in texts.items():
        word = text.split()[0]
        assert [document for document in found(index, word) if document.endswith(name)]
        assert name in nearest(index, text, limit=3)[0]
    assert index.passages == index.documents == len(texts) + 2


async def test_the_lock_of_a_killed_writer_is_free(index: Index, tmp_path: Path) -> None:
    docs = write_files(tmp_path / "docs", {"a.txt": "zebra", **{f"{n}.txt": f"x{n}" for n in range(9)}})
    _killed_ingest(index.folder, docs, "after the lexical index is written")
    with index.writer() as writer:
        assert writer.document("a.txt") or writer.document("0.txt")
