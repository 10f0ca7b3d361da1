"""ThinkingFilter: leaves out what a reasoning model thinks aloud in its answer, as in `<think>...</think>`.

Models put their reasoning into the text if the service has no parser for it. It is not part of the answer: it may be
wrong, and numbers in it are not citations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
    "<|begin_of_thought|>": "<|end_of_thought|>",
}
"""Opening tag -> closing tag, in lower case; models write them in any case."""
_OPENING = re.compile("(?<!`)(?:" + "|".join(map(re.escape, TAGS)) + ")", re.IGNORECASE)
_ORPHAN = re.compile(r"(?<!`)</think(?:ing)?>", re.IGNORECASE)
_START = re.compile("[" + "".join(sorted({re.escape(tag[0]) for tag in TAGS})) + "]")
LONGEST_TAG = max(map(len, [*TAGS, *TAGS.values()]))


class ThinkingFilter:
    """Receives a text in pieces that may split a tag anywhere, and returns what is not reasoning. For one answer.

    A tag right after a backtick is a quotation and stays. An unclosed tag leaves out the rest of the text. If a
    template gave the model the opening tag, only the closing one is in the text: `after_thinking` handles that, and in
    a stream nobody can.
    """

    def __init__(self) -> None:
        self._held = ""
        self._closing = ""
        self._last = ""

    @property
    def is_thinking(self) -> bool:
        """Whether an opening tag has not been closed yet."""
        return bool(self._closing)

    def feed(self, piece: str) -> str:
        """The visible text that `piece` completes; what may be the start of a tag is held back."""
        text, shown = self._held + piece, []
        self._held = ""
        while text:
            visible, text = self._thought(text) if self._closing else self._spoken(text)
            if visible:
                shown.append(visible)
                self._last = visible[-1]
        return "".join(shown)

    def end(self) -> str:
        """The text that was held back and turned out to be no tag."""
        held, self._held = self._held, ""
        return "" if self._closing else held

    def _spoken(self, text: str) -> tuple[str, str]:
        """The visible text up to an opening tag, and the rest after it."""
        if _START.search(text) is None:
            return text, ""
        known = len(self._last)  # with the character before it, because a tag after a backtick is a quotation
        tag = _OPENING.search(self._last + text, known)
        if tag is not None:
            self._closing = TAGS[tag[0].lower()]
            return text[: tag.start() - known], text[tag.end() - known :]
        return self._hold(text, TAGS), ""

    def _thought(self, text: str) -> tuple[str, str]:
        """No visible text, and the rest after the closing tag."""
        closing = re.search(re.escape(self._closing), text, re.IGNORECASE)
        if closing is None:
            self._hold(text, [self._closing])
            return "", ""
        self._closing = ""
        return "", text[closing.end() :]

    def _hold(self, text: str, tags: Iterable[str]) -> str:
        """Holds back the end of `text` that may be the start of a tag, and returns what is before it."""
        kept = len(text) - _split_tag(text, tags)
        self._held = text[kept:]
        return text[:kept]


def after_thinking(text: str) -> str:
    """A complete, filtered text without what a closing tag ends that has no opening one."""
    orphan = _ORPHAN.search(text)
    return text if orphan is None else text[orphan.end() :]


def _split_tag(text: str, tags: Iterable[str]) -> int:
    """The length of the longest end of `text` that may be the start of one of the tags."""
    tail = text[-LONGEST_TAG:].lower()
    starts = (found.start() for found in _START.finditer(tail))
    return next((len(tail) - n for n in starts if any(tag.startswith(tail[n:]) for tag in tags)), 0)
