"""A text from outside that tries everything, and what an output that holds it must be like."""

from __future__ import annotations

FORGED = "all is well"
HOSTILE = f"<b>[red]x[/red]\x1b[2J\x9b31m\x07\u202eevil\u2066\u200f\u2028{FORGED}\n{FORGED}\r{FORGED}\U000e0041\x7f'\"&"
SHOWN = (
    r"<b>[red]x[/red]\x1b[2J\x9b31m\x07\u202eevil\u2066\u200f\u2028all is well\nall is well\rall is well\U000e0041\x7f"
)
"""How its beginning looks where it is harmless."""


def assert_harmless(output: str) -> None:
    """No line of `output` is the text's own, and no character in it changes others."""
    for line in output.split("\n"):
        assert line.isprintable(), ascii(line)
        assert not line.startswith(FORGED), line
