"""Text as a person reads it: without Markdown's marks."""

from __future__ import annotations

import re

_IMAGE = re.compile(r"!\[[^\]]{0,200}\]\([^)]{0,500}\)")
_LINK = re.compile(r"\[([^\]\[]{1,200})\](?:\([^)]{0,500}\)|\[[^\]]{0,100}\])")
_EMPHASIS = re.compile(r"(?<![\w*])(\*\*\*|\*\*|\*|__|_)(?=\S)(.{1,200}?)(?<=\S)\1(?![\w*])")


def readable(text: str) -> str:
    """`text` on one line, without the marks of links, images, emphasis and code."""
    if "[" in text:
        text = _LINK.sub(r"\1", _IMAGE.sub("", text))
    if "*" in text or "_" in text:
        text = _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", text))
    return " ".join(text.replace("`", "").split())
