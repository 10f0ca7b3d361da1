"""Terminal output: styled for people, plain if piped, with foreign text made harmless."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ha_rag.harmless import harmless, harmless_json

PIPE_WIDTH = 500
STATE_STYLES = {"closed": "green", "open": "bold red", "half_open": "yellow"}


def console() -> Console:
    """Standard output. Colours only on a terminal and without NO_COLOR (rich handles both)."""
    # A pipe has no width; programs that read a table need whole rows.
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def shown_width() -> int:
    """How many columns fit."""
    return console().width


def styled(text: object, style: str = "", *, lines: bool = False) -> Text:
    """`text`, made harmless, without interpreting markup in it. `lines`: keeps the lines of prose."""
    return Text(harmless(text, lines=lines), style=style)


def table(*columns: str | Text) -> Table:
    """A plain table. A column whose name is not ours needs `styled`: markup in plain text is interpreted."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def print_json(value: Any) -> None:
    """`value` as JSON, for programs; what is not printable ASCII comes escaped."""
    print(harmless_json(value, indent=2))


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Shows on standard error what is being waited for, while it lasts; nothing if it is no terminal."""
    screen = Console(stderr=True)
    if not screen.is_terminal:
        yield
        return
    with screen.status(what):
        yield
