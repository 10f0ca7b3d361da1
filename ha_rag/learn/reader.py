"""Readers of the walk: a person at a terminal or behind a pipe, or a random generator."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Protocol

from ha_rag.harmless import harmless

STATES = ("closed", "open", "half-open")
_WORDS = {
    "c": "closed", "closed": "closed", "o": "open", "open": "open",
    "h": "half-open", "half": "half-open", "half-open": "half-open", "half_open": "half-open", "half open": "half-open",
}  # fmt: skip
_QUIT = {"q", "quit", "exit"}


class Quit(KeyboardInterrupt):
    """The reader quits the walk: by a word, by the end of the input or by Ctrl-C."""


class Reader(Protocol):
    """Goes through the walk and predicts states."""

    def wait_for_next(self) -> None:
        """Returns when the reader wants the next step. Raises Quit."""
        ...

    def predict(self, question: str) -> str | None:
        """Returns a state, or None for no guess. Raises Quit."""
        ...


def read_line(prompt: str) -> str:
    """A line of standard input. One that comes through a pipe is echoed, as a terminal would."""
    line = input(prompt)
    if not sys.stdin.isatty():
        print(harmless(line))
    return line


class TerminalReader:
    """A person. `read(prompt)`: returns a line without its end; raises EOFError if there are no more."""

    def __init__(self, read: Callable[[str], str] = read_line) -> None:
        self._read = read

    def wait_for_next(self) -> None:
        self._line("Enter to go on, q to leave ")

    def predict(self, question: str) -> str | None:
        text = self._line(f"{question} (closed, open or half-open; Enter: no guess) ")
        while text and text not in _WORDS:
            shown = harmless(text, longest=40)
            text = self._line(f"'{shown}' is no state. One of closed, open, half-open (c, o, h will do): ")
        return _WORDS.get(text)

    def _line(self, prompt: str) -> str:
        try:
            text = self._read(prompt).strip().lower()
        except UnicodeDecodeError:
            return "?"  # no word that the walk knows
        except (EOFError, KeyboardInterrupt):
            raise Quit from None
        if text in _QUIT:
            raise Quit
        return text


class RandomReader:
    """Never waits, and guesses at random: the same for the same `seed`. `say(text)`: shows the guess."""

    def __init__(self, seed: int, say: Callable[[str], object]) -> None:
        self._random = random.Random(seed)
        self._say = say

    def wait_for_next(self) -> None:
        pass

    def predict(self, question: str) -> str | None:
        guess = self._random.choice(STATES)
        self._say(f"{question} A guess by chance: {guess}")
        return guess
