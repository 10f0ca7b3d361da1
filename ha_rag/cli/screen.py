"""What goes to the terminal: styled for people, plain where piped, never with others' control codes."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

# Documents and services may hold anything; a terminal obeys escape sequences. Tab and line end are harmless.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
PIPE_WIDTH = 500
STATE_STYLES = {"closed": "green", "open": "bold red", "half_open": "yellow"}


def console() -> Console:
    """Standard output. Colours only on a terminal, and not where NO_COLOR is set (rich sees to both)."""
    # A pipe has no width; a program that reads a table wants its rows whole.
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def shown_width() -> int:
    """How many columns fit."""
    return console().width


def harmless(text: object) -> str:
    """`text` without control characters."""
    return _CONTROL.sub("", str(text))


def styled(text: object, style: str = "") -> Text:
    """`text` as it stands: no markup is read in it."""
    return Text(harmless(text), style=style)


def table(*columns: str) -> Table:
    """A plain table."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def print_json(value: Any) -> None:
    """`value` as JSON, for programs; control characters come escaped."""
    print(json.dumps(value, indent=2))


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Says on standard error, as long as it lasts, what is waited for; nothing where nobody looks on."""
    screen = Console(stderr=True)
    if not screen.is_terminal:
        yield
        return
    with screen.status(what):
        yield
