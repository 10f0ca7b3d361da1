"""How this program was called, so that printed commands can be copied."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

NAME = "ha-rag"


def own_name(called: str | None = None) -> str:
    """`ha-rag` if the shell finds this program by that name, else the path it was called by.

    `called`: the program's path (default: this process's). Also `ha-rag` when run by `python -m`.
    """
    program = Path(sys.argv[0] if called is None else called)
    if program.name != NAME:
        return NAME
    found = shutil.which(NAME)
    if found is not None and Path(found).resolve() == program.resolve():
        return NAME
    return str(program)
