"""A mixed folder that is edited at random, and an ingest of it in a process of its own, to be killed.

`python -m tests.index.killed_ingest INDEX FOLDER MIRROR` says "began" and ingests in small batches.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ha_rag.index import Index, collector, compaction, ingest
from tests.index.office_files import docx, paragraph, xlsx
from tests.index.pdfs import pdf
from tests.index.places import TestEmbedder

ROOT = Path(__file__).parents[2]
MAKERS: dict[str, Callable[[str], str | bytes]] = {
    ".md": lambda word: f"# About\n\nThe {word} grazes.\n\n## More\n\nIt also sleeps.",
    ".txt": lambda word: f"The {word} grazes.",
    ".html": lambda word: f"<h1>About</h1><p>The {word} grazes.</p>",
    ".csv": lambda word: f"name,does\n{word},grazes\nowl,hoots\n",
    ".json": lambda word: json.dumps([{"name": word, "does": "grazes"}]),
    ".jsonl": lambda word: "\n".join(json.dumps({"_id": f"{word}-{n}", "text": f"{word} line{n}"}) for n in range(3)),
    ".pdf": lambda word: pdf(f"The {word} grazes", f"The {word} sleeps"),
    ".docx": lambda word: docx(paragraph(f"The {word} grazes.")),
    ".xlsx": lambda word: xlsx({"Staff": [["name", "does"], [word, "grazes"]]}),
    "": lambda word: f"The {word} grazes.",
}


class Folder:
    """A folder of one to three files of each kind, each with a word of its own; `words`: all that were ever in it."""

    def __init__(self, path: Path, dice: random.Random) -> None:
        self.path = path
        self.words: list[str] = []
        self._dice = dice
        for _ in range(2):
            for ending in MAKERS:
                self.add(ending)

    def edit(self) -> None:
        """Three to six changes."""
        for _ in range(self._dice.randint(3, 6)):
            self._dice.choice([self.add, self.change, self.remove, self.move, self.empty, self.garble])()

    def add(self, ending: str | None = None) -> None:
        """A new file."""
        ending = self._dice.choice(list(MAKERS)) if ending is None else ending
        file = self.path / self._dice.choice(["", "inner", "inner/deep"]) / f"file{len(self.words)}{ending}"
        file.parent.mkdir(parents=True, exist_ok=True)
        self._write(file)

    def change(self) -> None:
        """Another word in a file."""
        self._write(self._any())

    def remove(self) -> None:
        """A file less."""
        if len(self._files()) > 12:
            self._any().unlink()

    def move(self) -> None:
        """A file in another place."""
        file = self._any()
        file.rename(self.path / f"moved{len(self.words)}-{file.name}")

    def empty(self) -> None:
        """A file without content."""
        self._any().write_bytes(b"")

    def garble(self) -> None:
        """A file that is no text any more."""
        self._any().write_bytes(bytes(range(256)) * 9)

    def _write(self, file: Path) -> None:
        word = f"word{len(self.words)}x"
        self.words.append(word)
        content = MAKERS[file.suffix](word)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def _files(self) -> list[Path]:
        return sorted(path for path in self.path.rglob("*") if path.is_file())

    def _any(self) -> Path:
        return self._dice.choice(self._files())


async def run(index: Index, folder: Path, *, mirror: bool) -> None:
    """An ingest that commits often and builds graphs early."""
    collector.BATCH_DOCUMENTS = 3
    vars(compaction)["EXACT_FLOATS"] = 320
    await ingest([folder], index, {"primary": TestEmbedder()}, mirror=mirror)


def killed(index: Path, folder: Path, share: float, usual_s: float, *, mirror: bool) -> tuple[bool, float]:
    """Ingests in a process that is killed after this share of the usual time: whether it was, and how long it took."""
    command = [sys.executable, "-m", "tests.index.killed_ingest", str(index), str(folder), str(int(mirror))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"began\n"
        began_s = time.monotonic()
        try:
            process.wait(share * usual_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return True, usual_s
    assert process.returncode == 0
    return False, time.monotonic() - began_s


def fresh(path: Path) -> Path:
    """`path`, without what was there."""
    shutil.rmtree(path, ignore_errors=True)
    return path


if __name__ == "__main__":
    with Index(sys.argv[1]) as opened:
        print("began", flush=True)
        asyncio.run(run(opened, Path(sys.argv[2]), mirror=sys.argv[3] == "1"))
