"""What every test may ask for: real and stand-in Redis servers, free ports, and marks by folder."""

from __future__ import annotations

from pathlib import Path

import pytest

_MARK_BY_FOLDER = {"fleet", "browser", "compose"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for folder in _MARK_BY_FOLDER & set(Path(item.path).relative_to(item.config.rootpath).parts):
            item.add_marker(folder)
