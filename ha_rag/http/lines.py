"""Texts that are shown in one line, in logs, citations and dashboards: a name that is taken as it is, and a remark.

Each pattern only describes, for the OpenAPI document, the rule that its function holds.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

LONGEST_NAME = 512
_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_BLANK = rf"\s{_CONTROL}"


def _name(text: str) -> str:
    if _one_line(text) != text:
        raise ValueError("must have no control characters or line ends in it, and no blanks around it")
    return text


def _remark(text: str) -> str:
    line = _one_line(text)
    if not line:
        raise ValueError("must not be empty")
    return line


def _one_line(text: str) -> str:
    return "".join(" " if _ends_line(character) else character for character in text).strip()


def _ends_line(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f" or character in "\u2028\u2029"


Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_NAME,
        json_schema_extra={"pattern": f"^[^{_BLANK}]([^{_CONTROL}]*[^{_BLANK}])?$"},
    ),
    AfterValidator(_name),
]
Remark = Annotated[
    str,
    Field(min_length=1, max_length=500, json_schema_extra={"pattern": f"[^{_BLANK}]"}),
    AfterValidator(_remark),
]
