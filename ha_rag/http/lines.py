"""Types of one-line text fields: `Name` is rejected unless it is one line, `Remark` is made one line.

The patterns only document the rules in the OpenAPI document; the validators enforce them.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

MAX_NAME = 512
_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_BLANK = rf"\s{_CONTROL}"


def _name(text: str) -> str:
    if _one_line(text) != text:
        raise ValueError("must not contain control characters or line breaks, nor begin or end with blanks")
    return text


def _remark(text: str) -> str:
    line = _one_line(text)
    if not line:
        raise ValueError("must not be empty")
    return line


def _one_line(text: str) -> str:
    return "".join(" " if _is_control(character) else character for character in text).strip()


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f" or character in "\u2028\u2029"


Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_NAME,
        json_schema_extra={"pattern": f"^[^{_BLANK}]([^{_CONTROL}]*[^{_BLANK}])?$"},
    ),
    AfterValidator(_name),
]
Remark = Annotated[
    str,
    Field(min_length=1, max_length=500, json_schema_extra={"pattern": f"[^{_BLANK}]"}),
    AfterValidator(_remark),
]
