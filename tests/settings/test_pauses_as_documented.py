"""The table of pauses in docs/configuration.md: each of its rows, for each of its statuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ha_rag.components.error_response import error_for
from ha_rag.errors import ServiceError, ThrottledError

ROOT = Path(__file__).parents[2]
NOW_MS = 1_760_000_000_000
HEAD = "| status | the reply has | pause |"
CODE = re.compile(r"`([^`]+)`")


def rows() -> Iterator[tuple[int, str, str]]:
    lines = (ROOT / "docs/configuration.md").read_text().splitlines()
    for line in lines[lines.index(HEAD) + 2 :]:
        if not line.startswith("|"):
            return
        statuses, has, pause = (cell.strip() for cell in line.strip("|").split("|"))
        for status in statuses.split(", "):
            yield int(status), has, pause


ROWS = list(rows())


def reply(has: str) -> tuple[dict[str, str], bytes]:
    """The headers and the body that a cell of the table describes."""
    found = CODE.findall(has)
    if found and found[0].startswith("{"):
        return {}, found[0].encode()
    headers = (header.split(": ", 1) for header in found)
    return {name.lower(): value for name, value in headers}, b""


@pytest.mark.parametrize(("status", "has", "pause"), ROWS, ids=str)
def test_a_row(status: int, has: str, pause: str) -> None:
    headers, body = reply(has)
    error = error_for(status, headers, body, now_ms=NOW_MS)
    if pause == "none: a failure":
        assert type(error) is ServiceError
    else:
        assert isinstance(error, ThrottledError)
        assert f"{error.retry_after_s:g} s" == pause


def test_the_table_is_there() -> None:
    assert len(ROWS) > 30
