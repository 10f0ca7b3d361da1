r"""harmless(): text from outside, made fit for a terminal, a log or a page.

A name, a reason or an answer must not change how the text around it looks: start a line, move the cursor, turn the
direction of writing (U+202E), or hide itself. Characters that do are shown as Python writes them, `\u202e`, rather than
removed: two different names never look the same. The pages do the same in `dashboards/web/harmless.js`.

Source: Unicode Standard Annex 44 (general categories, Default_Ignorable_Code_Point); Unicode Technical Report 36.
"""

from __future__ import annotations

import json
import unicodedata

MARKS_IN_A_ROW = 8
"""Combining marks that may follow one character. No writing system needs more; stacks of them cover other lines."""

_JOINERS = frozenset("\u200c\u200d")
_SELECTORS = frozenset(
    chr(code) for first, last in ((0xFE00, 0xFE0F), (0x180B, 0x180D), (0x180F, 0x180F), (0xE0100, 0xE01EF))
    for code in range(first, last + 1)
)  # fmt: skip
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Characters that are letters or marks by category, and show nothing."""


def harmless(text: object, *, lines: bool = False, longest: int | None = None) -> str:
    r"""`text` on one line, with every character that could change the look of other text as an escape.

    `lines`: for prose, such as an answer: keeps its line feeds and tabs. `longest`: cuts the result, which then ends in
    an ellipsis. Spaces of any width become plain ones. Joiners and variation selectors stay where a script or an emoji
    needs them: after a visible character that is not ASCII.
    """
    shown = str(text)
    if lines:
        shown = shown.replace("\r\n", "\n")
    if not (shown.isascii() and shown.isprintable()):
        shown = _escaped(shown, "\n\t" if lines else "")
    return shown if longest is None or len(shown) <= longest else shown[: longest - 1] + "…"


def harmless_json(value: object, *, indent: int | None = None) -> str:
    """`value` as JSON in printable ASCII, for a terminal or a log; a program that reads it gets every character."""
    return json.dumps(value, default=str, indent=indent).replace("\x7f", "\\u007f")


def _escaped(text: str, kept: str) -> str:
    shown: list[str] = []
    base = before = ""  # the last visible character, and the last one of any kind
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        is_mark = category in ("Mn", "Me")
        marks = marks + 1 if is_mark else 0
        if character in kept:
            shown.append(character)
            base = ""
        elif category == "Zs":
            shown.append(" ")
            base = " "
        elif character in _SELECTORS or character in _JOINERS:
            fits = not base.isascii() and before not in (_JOINERS if character in _JOINERS else _INVISIBLE)
            shown.append(character if fits else _escape(character))
        elif character.isprintable() and character not in _FILLERS and not (is_mark and _is_stray(base, marks)):
            shown.append(character)
            base = base if is_mark else character
        else:
            shown.append(_escape(character))
            base = "\\"
        before = character
    return "".join(shown)


_INVISIBLE = _JOINERS | _SELECTORS


def _is_stray(base: str, marks: int) -> bool:
    """Whether a mark would change text before this one, or is one too many."""
    return not base or marks > MARKS_IN_A_ROW


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
