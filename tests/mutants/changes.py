"""Generates mutants of a Lua text: one small change each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import lupa.lua51  # type: ignore[import-untyped]  # stubs are in a separate package

TOKEN = re.compile(r"--[^\n]*|'(?:[^'\\\n]|\\.)*'|[A-Za-z_][\w.]*|\d+(?:\.\d+)?|[=~<>]=|\.\.|\S")
SWAPS = {
    "==": ("~=",), "~=": ("==",), "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"),
    "and": ("or",), "or": ("and",), "not": ("",), "true": ("false",), "false": ("true",),
    "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "math.max": ("math.min",), "math.min": ("math.max",),
}  # fmt: skip
"""Replacements for tokens. Strings are not mutated: most are names of keys and fields, whose mutants die at once."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed text. `line`: counted from 1. `change`: old line -> new line."""

    line: int
    change: str
    text: str


def mutants_of(text: str) -> list[Mutant]:
    """Every syntactically valid mutant of a Lua text, in line order."""
    runtime = lupa.lua51.LuaRuntime()
    mutants = [*_with_deleted_line(text), *_with_replaced_token(text)]
    return sorted(
        (mutant for mutant in mutants if _compiles(runtime, mutant.text)),
        key=lambda mutant: (mutant.line, mutant.change),
    )


def _compiles(runtime: lupa.lua51.LuaRuntime, text: str) -> bool:
    try:
        runtime.compile(text)
    except lupa.lua51.LuaSyntaxError:
        return False
    return True


def _with_deleted_line(text: str) -> Iterator[Mutant]:
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if line.strip() and not line.strip().startswith("--"):
            yield Mutant(i + 1, f"{line.strip()} -> (deleted)", "\n".join([*lines[:i], "", *lines[i + 1 :]]))


def _with_replaced_token(text: str) -> Iterator[Mutant]:
    for found in TOKEN.finditer(text):
        token, line = found[0], text.count("\n", 0, found.start()) + 1
        replacements = (str(int(token) + 1),) if token.isdigit() else SWAPS.get(token, ())
        for replacement in replacements:
            changed = f"{text[: found.start()]}{replacement}{text[found.end() :]}"
            new_line = changed.split("\n")[line - 1].strip()
            yield Mutant(line, f"{text.split(chr(10))[line - 1].strip()} -> {new_line}", changed)
