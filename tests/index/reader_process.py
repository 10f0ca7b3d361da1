"""A process that searches an index as a replica does, and says what it found. `python -m tests.index.reader_process`.

It opens the index named in its argument, searches it without a pause in a thread, and answers each line of its input
with one line of JSON: "running" searches the index that it opened at first, "fresh" one that it opens for that.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ha_rag.components.embedders.hashing import hashed
from ha_rag.components.retrievers import LexicalRetriever, LocalRetriever
from ha_rag.errors import HaRagError
from ha_rag.index import Index
from ha_rag.messages import Embedding
from tests.index.places import SPACE

ROOT = Path(__file__).parents[2]
DOCUMENTS = 40
ASKED = range(0, DOCUMENTS, 3)
"""The documents that one request searches for: some of each segment, and some that are not in the graph."""


def text_of(number: int) -> str:
    return f"alpha{number} beta{number * 7} gamma{number * 13}"


TEXTS = {f"d{number}": text_of(number) for number in range(DOCUMENTS)}


@dataclass
class Found:
    """`wrong`: passages that no document has. `missing`: documents that their own words, or these and their own vector,
    did not find first. `error`: why nothing could be searched. `problem`: what health says.
    """

    wrong: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    error: str = ""
    problem: str = ""


async def search(index: Index, numbers: range) -> Found:
    """Searches for these documents by words alone, and by words and vectors."""
    found = Found()
    lexical, hybrid = LexicalRetriever(index), LocalRetriever(index)
    try:
        for number in numbers:
            name, text = f"d{number}", text_of(number)
            embedding = Embedding(hashed(text, SPACE.dimension), SPACE)
            for retriever in (lexical, hybrid):
                passages = await retriever.retrieve(text, embedding, 3)
                found.wrong += [f"{p.document}: {p.text}" for p in passages if TEXTS.get(p.document) != p.text]
                if not passages or passages[0].document != name:
                    found.missing.append(name)
    except HaRagError as error:
        found.error = str(error)
    found.problem = index.problem or ""
    return found


class ReaderProcess:
    """Such a process. Use it as a context manager; leaving it fails if it has died."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.index.reader_process", str(folder)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, which: str) -> Found:
        """What it finds now. `which`: "running" or "fresh"."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(which + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        assert line, f"the process died: {self._process.wait()}"
        return Found(**json.loads(line))

    def __enter__(self) -> ReaderProcess:
        self.ask("running")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


def serve(folder: str) -> None:
    index, stop, seen = Index(folder), threading.Event(), Found()

    def search_on() -> None:
        while not stop.is_set():
            found = asyncio.run(search(index, range(0, DOCUMENTS, 5)))
            seen.wrong += found.wrong
            seen.missing += found.missing
            seen.error = seen.error or found.error

    load = threading.Thread(target=search_on)
    load.start()
    for line in sys.stdin:
        if line.strip() == "running":
            found = asyncio.run(search(index, ASKED))
            found.wrong += seen.wrong
            found.missing += seen.missing
            found.error = found.error or seen.error
        else:
            with Index(folder) as fresh:
                found = asyncio.run(search(fresh, ASKED))
        print(json.dumps(asdict(found)), flush=True)
    stop.set()
    load.join()
    index.close()


if __name__ == "__main__":
    serve(sys.argv[1])
