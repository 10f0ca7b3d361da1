"""The `ha-rag` command. One file per command; heavy imports happen only in the command that needs them."""

from __future__ import annotations

import sys

from ha_rag.extras import missing_extra


def main() -> None:
    """The command line's entry point. Exits with 0, 1 (the command failed) or 2 (it was used wrongly)."""
    try:
        from ha_rag.cli.app import app
    except ModuleNotFoundError as error:
        sys.exit(f"ha-rag: {missing_extra('the command', error) or error}")
    app()
