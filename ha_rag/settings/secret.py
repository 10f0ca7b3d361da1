"""Secret: a text that shows itself only where it is asked to."""

from __future__ import annotations


class Secret:
    """A password, token or key. Prints as ***, in logs, reprs and tracebacks alike. Immutable."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: for the one who must send or compare it, and for nobody's eyes."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__
