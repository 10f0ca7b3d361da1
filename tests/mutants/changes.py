"""Small changes to a Lua text, one at a time: what a mutation test takes for a mistake somebody might have made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import lupa.lua51  # type: ignore[import-untyped]  # its stubs are a package of their own

TOKEN = re.compile(r"--[^\n]*|'(?:[^'\\\n]|\\.)*'|[A-Za-z_][\w.]*|\d+(?:\.\d+)?|[=~<>]=|\.\.|\S")
SWAPS = {
    "==": ("~=",), "~=": ("==",), "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"),
    "and": ("or",), "or": ("and",), "not": ("",), "true": ("false",), "false": ("true",),
    "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "math.max": ("math.min",), "math.min": ("math.max",),
}  # fmt: skip
"""What stands in for a token. Texts are left alone: most are names of keys and fields, and fail at once."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed text. `line`: counted from 1. `change`: what was there -> what stands there now."""

    line: int
    change: str
    text: str


def mutants_of(text: str) -> list[Mutant]:
    """Every mutant of a Lua text that Lua can still read, in the order of its lines."""
    reader = lupa.lua51.LuaRuntime()
    made = [*_without_a_line(text), *_with_another_token(text)]
    return sorted((one for one in made if _readable(reader, one.text)), key=lambda one: (one.line, one.change))


def _readable(reader: lupa.lua51.LuaRuntime, text: str) -> bool:
    try:
        reader.compile(text)
    except lupa.lua51.LuaSyntaxError:
        return False
    return True


def _without_a_line(text: str) -> Iterator[Mutant]:
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if line.strip() and not line.strip().startswith("--"):
            yield Mutant(i + 1, f"{line.strip()} -> (deleted)", "\n".join([*lines[:i], "", *lines[i + 1 :]]))


def _with_another_token(text: str) -> Iterator[Mutant]:
    for found in TOKEN.finditer(text):
        token, line = found[0], text.count("\n", 0, found.start()) + 1
        others = (str(int(token) + 1),) if token.isdigit() else SWAPS.get(token, ())
        for other in others:
            changed = f"{text[: found.start()]}{other}{text[found.end() :]}"
            now = changed.split("\n")[line - 1].strip()
            yield Mutant(line, f"{text.split(chr(10))[line - 1].strip()} -> {now}", changed)
