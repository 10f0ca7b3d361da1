"""How this program was called, so that what it prints can be typed again."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

NAME = "ha-rag"


def own_name(called: str | None = None) -> str:
    """`ha-rag` where a shell finds this very program under that name, else the path that it was called by.

    `called`: the program's path (default: this process's). Run in another way, as by `python -m`, it is `ha-rag`, too.
    """
    program = Path(sys.argv[0] if called is None else called)
    if program.name != NAME:
        return NAME
    found = shutil.which(NAME)
    if found is not None and Path(found).resolve() == program.resolve():
        return NAME
    return str(program)
