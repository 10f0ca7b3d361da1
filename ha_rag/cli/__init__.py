"""`ha-rag`: what an operator types. One file a command; heavy imports wait until a command needs them."""

from __future__ import annotations


def main() -> None:
    """The command line's entry point. Ends the process with 0, 1 (it failed) or 2 (it was asked wrongly)."""
    from ha_rag.cli.app import app

    app()
