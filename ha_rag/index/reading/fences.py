"""Code in Markdown: between fences that are longer than any in the code itself."""

from __future__ import annotations

import re
from collections.abc import Sequence


def fenced(language: str, lines: Sequence[str]) -> list[str]:
    """The lines of a block of code, with an empty line before and after it; one empty line if there is no code."""
    code = "\n".join(lines).strip("\n")
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", code)), default=0))
    return ["", f"{ticks}{language}", code, ticks, ""] if code.strip() else [""]
