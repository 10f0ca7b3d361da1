"""A newcomer's first session, typed as README and docs/ say it: `make run`, and the commands in their order."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ha_rag.local_fleet.record import running_fleet
from tests.documents.pages import ROOT, Typed, commands, snippet
from tests.documents.test_what_is_typed import BY_FLEET, ELSEWHERE
from tests.index.office_files import docx, paragraph, xlsx
from tests.index.pdfs import pdf
from tests.terminal import Terminal
from tests.waiting import until

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(300)]

STARTS = ("make run", ".venv/bin/ha-rag up ")
MINE = [each for each in commands() if each.text.startswith(BY_FLEET) and each.text not in ELSEWHERE]
SAYS = {
    ".venv/bin/ha-rag break embedder.primary --for 30": "embedder.primary: embeddings now fails (error, 100 % of",
    '.venv/bin/ha-rag ask "How does a circuit recover?"': "degraded: the embedder was secondary",
    ".venv/bin/ha-rag circuits": "embedder.primary",
    ".venv/bin/ha-rag ingest ./handbook notes.pdf": "3 documents: 3 new",
    ".venv/bin/ha-rag evaluate questions.jsonl": "nDCG@10",
    "ha-rag forget minutes.txt": "removed: minutes.txt",
    "curl http://127.0.0.1:8000/v1/documents -F file=@handbook.docx -F file=@prices.xlsx": '"handbook.docx"',
    ".venv/bin/ha-rag check --config ha_rag.toml": "embedder.primary",
    "curl http://127.0.0.1:8000/v1/circuits": '"circuits"',
    "ha-rag circuits auto generator.primary": "generator.primary",
    "curl -N localhost:8000/v1/events": "retry: ",
}
"""What a command must say, where it is more than that it succeeds."""
QUESTION = {"_id": "q1", "text": "Where do visitors sign in?", "passage": "visitors.md", "answers": ["front desk"]}


@dataclass
class Newcomer:
    """A folder that looks like a fresh checkout, with a fleet running in it. `port`: where it answers."""

    folder: Path
    port: int

    def types(self, command: str) -> str:
        """What the command says. It must succeed; one that goes on for ever is stopped after a moment."""
        line = re.sub(r"(localhost|127\.0\.0\.1):8000", f"127.0.0.1:{self.port}", command)
        if line.startswith("curl -N"):
            line = f"timeout 3 {line} || [ $? = 124 ]"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=self.folder, env=environment(self.folder), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


def environment(folder: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("HA_RAG_", "MAKE", "MFLAGS"))}
    return {**own, "PATH": f"{folder / '.venv' / 'bin'}:{os.environ['PATH']}", "OPENAI_API_KEY": "any"}


def checkout(folder: Path) -> Path:
    """As after a clone and an install: make finds what it needs, and `.venv` is the one that these tests run in."""
    (folder / ".venv").symlink_to(sys.prefix)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "handbook").mkdir()
    (folder / "handbook" / "visitors.md").write_text("# Visitors\n\nVisitors sign in at the front desk.")
    (folder / "handbook" / "minutes.txt").write_text("The meeting was moved to Tuesday.")
    (folder / "questions.jsonl").write_text(json.dumps(QUESTION))
    (folder / "cranfield" / "qrels").mkdir(parents=True)
    (folder / "cranfield" / "corpus.jsonl").write_text('{"_id": "1", "title": "Wings", "text": "A wing lifts."}')
    (folder / "cranfield" / "queries.jsonl").write_text('{"_id": "q", "text": "What lifts?"}')
    (folder / "cranfield" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t1\t1\n")
    (folder / "notes.pdf").write_bytes(pdf("The archive is in the cellar."))
    (folder / "handbook.docx").write_bytes(docx(paragraph("Visitors are met at the front desk.")))
    (folder / "prices.xlsx").write_bytes(xlsx({"Plans": [["Plan", "Price"], ["Team", 29]]}))
    return folder


@asynccontextmanager
async def running(command: str, folder: Path, ready: str) -> AsyncIterator[Newcomer]:
    """The fleet that the command starts, until Ctrl-C."""
    terminal = Terminal(["bash", "-c", f"exec {command}"], 160, 50, environment(folder), folder)
    try:
        await until(lambda: ready in terminal.plain and "Ctrl-C" in terminal.plain, within_s=120)
        (port,) = re.findall(r"Open\s+http://localhost:(\d+)", terminal.plain)
        yield Newcomer(folder, int(port))
        os.killpg(terminal.process.pid, signal.SIGINT)
        await asyncio.to_thread(terminal.process.wait, 30)
        assert "Traceback" not in terminal.text
    except TimeoutError:
        raise AssertionError(f"{command} is not ready:\n{terminal.plain}") from None
    finally:
        terminal.close()


def test_there_is_something_to_type() -> None:
    assert {each.page for each in MINE} >= {"README.md", "docs/http.md", "docs/watching.md"}
    assert [text for text in SAYS if text not in {each.text for each in MINE}] == []


async def test_a_newcomers_session_is_what_the_documents_say(tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    async with running("make run", folder, "3 ready") as newcomer:
        for command in (each for each in MINE if not each.text.startswith(STARTS)):
            own = "ha_rag.toml" in command.text
            if own:
                newcomer.types("ha-rag mend")  # the outage of the page's beginning is not over yet
            with beside(folder / "ha_rag.toml", pointed_at_its_own_provider(folder), wanted=own):
                said = await asyncio.to_thread(newcomer.types, command.text)
            assert SAYS.get(command.text, "") in said, f"{command}\n{said}"


@contextmanager
def beside(file: Path, content: str, *, wanted: bool) -> Iterator[None]:
    if wanted:
        file.write_text(content, encoding="utf-8")
    yield
    file.unlink(missing_ok=True)


def pointed_at_its_own_provider(folder: Path) -> str:
    """The configuration of the README, over the fleet's simulated provider instead of a service that bills."""
    record = running_fleet(folder / ".ha_rag")
    assert record is not None
    assert record.configuration is not None
    url = tomllib.loads(record.configuration.read_text(encoding="utf-8"))["embedders"][0]["base_url"]
    return snippet("README.md", "toml").replace("https://api.openai.com/v1", url)


@pytest.mark.parametrize("command", [each for each in MINE if each.text.startswith(STARTS[1])], ids=str)
async def test_a_fleet_over_a_configuration_of_ones_own_comes_up(command: Typed, tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    (folder / "ha_rag.toml").write_text(snippet("README.md", "toml"), encoding="utf-8")
    replicas = shlex.split(command.text)[-1]
    async with running(command.text, folder, f"{replicas} ready"):
        pass
