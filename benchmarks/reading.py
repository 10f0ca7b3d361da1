"""How long it takes to read and split files of each kind, and how much memory: seconds for each megabyte, by size.

    python -m benchmarks.reading [--sizes 0.1 0.3 1] [--only pdf dna]

A kind whose time for each megabyte grows with the size is not read in linear time. Sizes are megabytes of the file, or
of its text where the file is compressed. Each row is read in the reading process, as an ingest does, and split in this
one. Times are CPU seconds, the start of the reading process (about 0.3 s) included, so that other programs on the machine
do not count. Memory is the most that the reading process used for this file (Linux only).
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ha_rag.index import Document
from ha_rag.index.reading import sandbox
from ha_rag.index.reading.files import read
from ha_rag.index.reading.walking import FoundFile
from ha_rag.index.splitting import split
from tests.index.office_files import docx, epub, paragraph, word_table, xlsx
from tests.index.pdfs import drawn_pdf, line

RANDOM = random.Random(1)
WORDS = ["".join(RANDOM.choices("etaoinshrdlucmfw", k=RANDOM.randint(2, 9))) for _ in range(5000)]


def sentences(size: int) -> list[str]:
    """Sentences with about `size` characters together."""
    found: list[str] = []
    while size > 0:
        found.append(" ".join(RANDOM.choices(WORDS, k=12)).capitalize() + ".")
        size -= len(found[-1]) + 1
    return found


def rows(size: int) -> list[list[str]]:
    """Rows of a table, below its header."""
    return [["Name", "City", "Note"], *(["Anna", "Ulm", sentence] for sentence in sentences(size))]


def html(size: int) -> str:
    """A page with headings, paragraphs, lists and tables."""
    section = "<h2>Part</h2><p>{0}</p><ul><li>{0}<li>{0}</ul><table><tr><th>Name<th>City<tr><td>Anna<td>{0}</table>"
    return "".join(section.format(sentence) for sentence in sentences(size // 5))


def markdown(size: int) -> str:
    """Headings, paragraphs, lists, code and tables."""
    section = "## Part\n\n{0}\n\n- {0}\n- {0}\n\n```\n# {0}\n```\n\n| Name | City |\n|---|---|\n| Anna | {0} |\n\n"
    return "".join(section.format(sentence) for sentence in sentences(size // 6))


def pdf(size: int) -> bytes:
    """Pages of fifty lines."""
    lines = sentences(size)
    pages = (lines[at : at + 50] for at in range(0, len(lines), 50))
    return drawn_pdf(*("".join(line(40, 780 - 15 * n, text) for n, text in enumerate(page)) for page in pages))


def letters(size: int, alphabet: str) -> str:
    """One run of letters."""
    return "".join(RANDOM.choices(alphabet, k=size))


MADE: dict[str, tuple[str, Callable[[int], str | bytes]]] = {
    "text": ("txt", lambda size: " ".join(sentences(size))),
    "lines": ("txt", lambda size: "\n".join(sentences(size)) + "\n\nThe end."),
    "one letter": ("txt", lambda size: "A" * size),
    "dna": ("txt", lambda size: letters(size, "ACGT")),
    "thai": ("txt", lambda size: "ภาษาไทยเป็นภาษาที่มีระดับเสียง" * (size // 90)),
    "base64": ("md", lambda size: f"# Note\n\n![map](data:image/png;base64,{base64.b64encode(RANDOM.randbytes(size * 3 // 4)).decode()})"),
    "windows-1252": ("txt", lambda size: "Größe über Äpfel für Köln.\n".encode("cp1252") * (size // 27)),
    "markdown": ("md", markdown),
    "list": ("md", lambda size: "- item of a list\n" * (size // 17)),
    "quotes": ("md", lambda size: ("> " * 40 + "x\n") * (size // 82)),
    "html": ("html", html),
    "nested html": ("html", lambda size: "".join("<div>" * 4900 + "x" + "</div>" * 4900 for _ in range(1 + size // 53_900))),
    "pdf": ("pdf", pdf),
    "docx": ("docx", lambda size: docx("".join(map(paragraph, sentences(size // 2))) + word_table(rows(size // 2)))),
    "xlsx": ("xlsx", lambda size: xlsx({"Staff": rows(size)})),
    "epub": ("epub", lambda size: epub({f"{n}.xhtml": html(size // 10) for n in range(10)})),
    "csv": ("csv", lambda size: "\n".join(map(",".join, rows(size)))),
    "json": ("json", lambda size: json.dumps([{"Name": "Anna", "Note": text} for text in sentences(size)])),
    "xml": ("xml", lambda size: f"<a>{''.join(f'<p><n>Anna</n><t>{text}</t></p>' for text in sentences(size))}</a>"),
    "rst": ("rst", lambda size: "".join(f"Part\n----\n\n{text} :ref:`x <y>`\n\n* {text}\n\n" for text in sentences(size // 2))),
    "json lines": ("jsonl", lambda size: "\n".join(json.dumps({"id": n, "text": text}) for n, text in enumerate(sentences(size)))),
}  # fmt: skip
"""What is in the file -> its ending, and how it is made."""


def measured(file: Path) -> tuple[float, float, int, float]:
    """Seconds to read and to split, passages, and the most megabytes that the reading process used."""
    began, before = time.process_time(), _of_children()
    documents = [one for one in read(FoundFile(file, file.name, file.parent)) if isinstance(one, Document)]
    process = sandbox.shared._process
    memory = _most_memory(process.pid) if process is not None else 0.0
    sandbox.shared.end()
    between = time.process_time()
    reading = between - began + _of_children() - before
    passages = sum(len(split(document)) for document in documents)
    return reading, time.process_time() - between, passages, memory


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _most_memory(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=float, nargs="+", default=[0.1, 0.3, 1.0], help="megabytes")
    parser.add_argument("--only", nargs="+", choices=MADE, default=list(MADE))
    arguments = parser.parse_args()
    # Starts what is started once: the splitter's tokenizer.
    split(Document(id="a", text="word"))
    print("| kind | MB | read s | split s | s/MB | passages | memory MB |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for kind in arguments.only:
            ending, make = MADE[kind]
            for size in arguments.sizes:
                content = make(int(size * 1_000_000))
                file = Path(folder) / f"a.{ending}"
                file.write_bytes(content if isinstance(content, bytes) else content.encode())
                reading, splitting, passages, memory = measured(file)
                each = (reading + splitting) / size
                row = f"| {kind} | {size:g} | {reading:.2f} | {splitting:.2f} | {each:.2f} | {passages:,} | {memory:.0f} |"
                print(row)
                sys.stdout.flush()


if __name__ == "__main__":
    main()
