"""The limits that docs/security.md names are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ha_rag.components.service_client import ERROR_BODY_BYTES
from ha_rag.components.service_config import ServiceConfig
from ha_rag.http.bodies import LARGE_BODY_BYTES, Body
from ha_rag.http.body_limit import CHAT_BODY_BYTES, MAX_BODY_BYTES, MAX_PARTIAL_BYTES, QUESTION_BODY_BYTES
from ha_rag.http.chat_parameters import ChatBody
from ha_rag.http.connection import MAX_HEAD_BYTES, MAX_HEADERS, MAX_PIPELINED, MAX_REFUSED_BYTES, SPARE
from ha_rag.index.reading.files import DEFAULT_LIMITS
from ha_rag.index.reading.sandbox import BASE_S, BYTES_PER_S, MEMORY_BYTES
from ha_rag.local_fleet.connection import OPTIONS
from ha_rag.local_fleet.front import FrontConfig
from ha_rag.settings.file import MAX_FILE_BYTES
from ha_rag.settings.tables import ServerTable
from ha_rag.strategy.question import MAX_QUESTION_CHARS, MAX_TOP_K

TEXT = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
PAGE = " ".join(TEXT.split())
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| ")]
AT_THE_FRONT = {row[0]: row[4] for row in ROWS if len(row) == 5}
SETTINGS = re.findall(r"\| ([\d,]+)(?: s)? \| `server\.(\w+)` \|", PAGE)


def test_every_setting_s_default_is_the_code_s():
    assert len(SETTINGS) == 6
    assert {name: float(number.replace(",", "")) for number, name in SETTINGS} == {
        name: ServerTable.model_fields[name].default for _, name in SETTINGS
    }


@pytest.mark.parametrize(
    "sentence",
    [
        f"{MAX_HEAD_BYTES // 1024} KiB, {MAX_HEADERS} headers",
        f"| a body | {QUESTION_BODY_BYTES // 1000} kB; a conversation {CHAT_BODY_BYTES // 10**6} MB, a document "
        f"{MAX_BODY_BYTES // 10**6} MB; {MAX_PARTIAL_BYTES // 10**6} MB in total for bodies in transit",
        f"| {Body.max_values}; in a conversation {ChatBody.max_values:,} (opening brackets",
        f"| {MAX_REFUSED_BYTES // 1024} KiB without a body in between",
        f"bodies above {LARGE_BODY_BYTES // 1024} kB are parsed in a thread",
        f"on one connection | {MAX_PIPELINED} |",
        f"answered to {SPARE} more",
        f"{MAX_QUESTION_CHARS:,} characters, {MAX_TOP_K} passages",
        f"{DEFAULT_LIMITS.file_bytes // 10**6} MB a file",
        f"{MEMORY_BYTES // 1024**3} GiB of memory and {BASE_S:g} s of CPU time",
        f"1 s more for each {BYTES_PER_S // 1000} kB",
        f"at most {MAX_FILE_BYTES // 10**6} MB",
        f"taken up to {ServiceConfig(base_url='http://h').max_reply_bytes // 1024**2} MB",
        f"errors up to {ERROR_BODY_BYTES // 1024} kB",
    ],
)
def test_every_other_limit_is_the_code_s(sentence):
    assert sentence in PAGE


FRONT = FrontConfig()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("connections", f"{FRONT.limits.connections:,} in any case"),
        ("time for line and headers", f"{FRONT.limits.head_s:g} s, of a connection's first request; "),
        ("time for line and headers", f"; {FRONT.limits.idle_s:g} s between two"),
        ("time for a body, and for a whole question", f"{FRONT.body_s:g} s for a body"),
        ("time idle between two requests", f"{FRONT.limits.idle_s:g} s"),
        ("time an answer waits for its reader", f"{FRONT.limits.unread_s:g} s;"),
    ],
)
def test_the_front_s_own_limits_are_the_code_s(row, said):
    assert said in AT_THE_FRONT[row]


def test_what_the_front_has_in_common_with_a_replica_is_said_to_be_the_same():
    for row in ("line and headers", "a body", "requests sent in advance on one connection"):
        assert AT_THE_FRONT[row].startswith("the same")
    assert OPTIONS["max_headers"] == MAX_HEADERS
    assert OPTIONS["max_line_size"] == OPTIONS["max_field_size"] == MAX_HEAD_BYTES
    assert FRONT.bodies_bytes == MAX_PARTIAL_BYTES
