"""Questions with known answers: what a data set holds, and how its files are read and checked."""

from __future__ import annotations

from ha_rag.evaluation.datasets.dataset import Dataset, DatasetDocument, JudgedQuestion
from ha_rag.evaluation.datasets.reading import read_dataset

__all__ = ["Dataset", "DatasetDocument", "JudgedQuestion", "read_dataset"]
