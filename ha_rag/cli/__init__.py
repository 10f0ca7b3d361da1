"""The `ha-rag` command. One file per command; heavy imports happen only in the command that needs them."""

from __future__ import annotations


def main() -> None:
    """The command line's entry point. Exits with 0, 1 (the command failed) or 2 (it was used wrongly)."""
    from ha_rag.cli.app import app

    app()
