"""Whoever takes the walk: a person at a terminal (or a pipe), or nobody, and guesses are made by chance."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Protocol

STATES = ("closed", "open", "half-open")
_MEANT = {
    "c": "closed", "closed": "closed", "o": "open", "open": "open",
    "h": "half-open", "half": "half-open", "half-open": "half-open", "half_open": "half-open", "half open": "half-open",
}  # fmt: skip
_LEAVE = {"q", "quit", "exit"}


# Not named an error: it is a wish of the reader's.
class Leaving(Exception):  # noqa: N818 - the reason stands above
    """The reader wants to go."""


class Reader(Protocol):
    """Reads along."""

    def goes_on(self) -> None:
        """Returns when the reader wants the next step. Raises Leaving."""
        ...

    def predicts(self, asked: str) -> str | None:
        """A state, or None for no guess. Raises Leaving."""
        ...


def typed(prompt: str) -> str:
    """A line of standard input. Where nobody types it (a pipe), it is shown as if somebody had."""
    line = input(prompt)
    if not sys.stdin.isatty():
        print(line)
    return line


class Person:
    """Reads and types. `read(prompt)`: a line, without its end; EOFError where there are no more."""

    def __init__(self, read: Callable[[str], str] = typed) -> None:
        self._read = read

    def goes_on(self) -> None:
        self._line("Enter to go on, q to leave ")

    def predicts(self, asked: str) -> str | None:
        said = self._line(f"{asked} (closed, open or half-open; Enter: no guess) ")
        while said and said not in _MEANT:
            said = self._line(f"{said[:40]!r} is no state. One of closed, open, half-open (c, o, h will do): ")
        return _MEANT.get(said)

    def _line(self, prompt: str) -> str:
        try:
            said = self._read(prompt).strip().lower()
        except (EOFError, KeyboardInterrupt):
            raise Leaving from None
        if said in _LEAVE:
            raise Leaving
        return said


class Chance:
    """Never waits, and guesses by chance; the same guesses for the same `seed`. `say(text)`: shows what it guessed."""

    def __init__(self, seed: int, say: Callable[[str], object]) -> None:
        self._random = random.Random(seed)
        self._say = say

    def goes_on(self) -> None:
        pass

    def predicts(self, asked: str) -> str | None:
        guess = self._random.choice(STATES)
        self._say(f"{asked} A guess by chance: {guess}")
        return guess
