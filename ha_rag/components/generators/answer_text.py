"""AnswerText: the visible text of an answer, from the pieces that a service sends."""

from __future__ import annotations

from collections.abc import Mapping

from ha_rag.components.encodable import ends_within_a_pair, unicode_text
from ha_rag.components.generators.thinking import ThinkingFilter

TEXT_TYPES = frozenset({"text", "output_text", "text_delta", None})


class AnswerText:
    """Turns pieces into text that can be shown: without reasoning, blanks before the answer, and halves of characters.

    For one answer. `said_nothing`: whether no visible text has come yet.
    """

    def __init__(self) -> None:
        self._thinking = ThinkingFilter()
        self._half = ""
        self.said_nothing = True

    @property
    def is_thinking(self) -> bool:
        """Whether the text so far ends within reasoning."""
        return self._thinking.is_thinking

    def feed(self, piece: str) -> str:
        """The text that `piece` completes."""
        text = self._half + piece
        self._half = text[-1:] if ends_within_a_pair(text) else ""
        return self._shown(self._thinking.feed(unicode_text(text.removesuffix(self._half))))

    def end(self) -> str:
        """The text that was held back."""
        rest, self._half = unicode_text(self._half), ""
        return self._shown(self._thinking.feed(rest) + self._thinking.end())

    def _shown(self, text: str) -> str:
        shown = text.lstrip() if self.said_nothing else text
        self.said_nothing = self.said_nothing and not shown
        return shown


def text_of(content: object) -> str:
    """The text of a message's content: a string, or a list of parts, of which only those of text count."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, list):
        return ""
    return "".join(map(_part_text, content))


def _part_text(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type") not in TEXT_TYPES or part.get("thought"):
        return ""
    text = part.get("text")
    if isinstance(text, Mapping):
        text = text.get("value")
    return text if isinstance(text, str) else ""
