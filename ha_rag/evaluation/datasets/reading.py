"""Finds out which layout a data set has, and reads it."""

from __future__ import annotations

from pathlib import Path

from ha_rag.errors import ConfigurationError
from ha_rag.evaluation.datasets import beir, questions
from ha_rag.evaluation.datasets.dataset import Dataset
from ha_rag.evaluation.datasets.squad import read_squad

LAYOUTS = (
    f"a folder with {beir.CORPUS}, {beir.QUERIES} and {beir.QRELS} (BEIR), a folder with {questions.QUESTIONS}, "
    "such a file, or a JSON file of SQuAD"
)


def read_dataset(path: Path) -> Dataset:
    """The data set at `path`: one of the layouts of BEIR, of SQuAD, or questions.jsonl.

    Raises ConfigurationError, with a sentence for each thing that is wrong, by file and line.
    """
    if path.is_dir():
        return _in_folder(path)
    if not path.exists():
        raise ConfigurationError(f"{path}: no such file or folder; a data set is {LAYOUTS}")
    if path.suffix == ".jsonl":
        return questions.read_questions(path, path.resolve().parent.name if _is_named_so(path) else path.stem)
    if path.suffix == ".json":
        return read_squad(path)
    raise ConfigurationError(f"{path}: is no data set, which is {LAYOUTS}")


def _in_folder(folder: Path) -> Dataset:
    if (folder / questions.QUESTIONS).is_file():
        return questions.read_questions(folder / questions.QUESTIONS, folder.resolve().name)
    if any((folder / name).exists() for name in (beir.CORPUS, beir.QUERIES, "qrels")):
        return beir.read_beir(folder)
    raise ConfigurationError(f"{folder}: holds no data set, which is {LAYOUTS}")


def _is_named_so(file: Path) -> bool:
    return file.name == questions.QUESTIONS and (file.parent / questions.CORPUS).is_file()
