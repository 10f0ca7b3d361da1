"""CompletionReader: reads the reply of a `/chat/completions` endpoint, a complete one or the events of a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ha_rag.components.complaint import complaint_in, described
from ha_rag.components.error_response import not_json, quoted, reported_error
from ha_rag.components.event_stream import ServerEvent
from ha_rag.components.generators.answer_text import AnswerText, text_of
from ha_rag.components.generators.finish import finish_of
from ha_rag.components.lenient_json import read_json
from ha_rag.components.usage import note_usage
from ha_rag.errors import InvalidRequestError, MalformedReplyError
from ha_rag.messages import WHOLE
from ha_rag.redaction import NOTHING_KNOWN, Redactor

DONE = b"[done]"
CHUNK = "chat.completion.chunk"
ERROR_NAMES = ("error", "fail", "exception")
PINGS = frozenset({"ping", "keepalive", "keep-alive", "heartbeat"})


class CompletionReader:
    """Reads one answer, event by event; a complete reply is one event. For one task at a time.

    `done`: nothing more belongs to the answer. `ended`: the answer has its end, so nothing more is needed, although
    usage or an error may follow. `now_ms`: the wall clock. `redactor`: strikes secrets out of error messages.
    """

    def __init__(self, redactor: Redactor = NOTHING_KNOWN, now_ms: int = 0) -> None:
        self._redactor = redactor
        self._now_ms = now_ms
        self._text = AnswerText()
        self._finish = ""
        self._is_doubtful = False
        self._is_empty = True
        self.done = False

    @property
    def ended(self) -> bool:
        """Whether the answer has an end that can be relied on: after all text, not with it."""
        return self.done or (bool(self._finish) and not self._is_doubtful)

    def read(self, event: ServerEvent) -> str:
        """The text that the event adds, often "".

        Raises ComponentError: MalformedReplyError for what is no part of a completion, InvalidRequestError if the model
        refused or a content filter removed the answer, and what `reported_error` returns for an error.
        """
        data = event.data.strip()
        if not data:  # to keep the connection alive
            return ""
        self._is_empty = False
        if data.strip(b'"').lower() == DONE:
            self.done = True
            return ""
        self._refuse_named_error(event)
        reply = self._parsed(event.data)
        choice = self._choice(reply, event)
        return "" if choice is None else self._read_choice(choice, is_chunk=reply.get("object") == CHUNK)

    def end(self) -> tuple[str, str]:
        """The text that was held back, and why the answer ended. Raises MalformedReplyError if it is cut or empty."""
        rest = self._text.end()
        if self._is_empty:
            raise MalformedReplyError("the response is empty")
        if not (self._finish or self.done):
            raise MalformedReplyError("the stream ended in the middle of the answer")
        if self._text.said_nothing:
            reason = f"; it ended with {self._finish!r}" if self._finish not in {"", WHOLE} else ""
            thinking = " within its reasoning" if self._text.is_thinking else ""
            raise MalformedReplyError(f"the answer is empty{reason}{thinking}")
        return rest, self._finish or WHOLE

    def _refuse_named_error(self, event: ServerEvent) -> None:
        if not any(name in event.name.lower() for name in ERROR_NAMES):
            return
        try:
            complaint = described(read_json(event.data))
        except ValueError:
            complaint = described(event.data.decode(errors="replace"))
        raise reported_error(complaint, event.data, redactor=self._redactor, now_ms=self._now_ms)

    def _parsed(self, data: bytes) -> Mapping[str, Any]:
        try:
            reply = read_json(data)
        except ValueError:
            if self.ended:
                return {}  # the end of the stream was cut, but not the answer
            raise MalformedReplyError(not_json(data, self._redactor)) from None
        complaint = complaint_in(reply)
        if complaint is not None:
            raise reported_error(complaint, data, redactor=self._redactor, now_ms=self._now_ms)
        if not isinstance(reply, dict):
            raise MalformedReplyError("the response is not a JSON object")
        note_usage(reply)
        return reply

    def _choice(self, reply: Mapping[str, Any], event: ServerEvent) -> Mapping[str, Any] | None:
        """The answer in an event; None if the event only carries usage, or nothing."""
        choices = reply.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            return choices[0]
        if ("choices" in reply and not choices) or isinstance(reply.get("usage"), dict) or not reply:
            return None
        if "choices" not in reply and (event.name or str(reply.get("type")).lower() in PINGS):
            return None
        shown = quoted(event.data.decode(errors="replace"), self._redactor, 80)
        raise MalformedReplyError(f"the response has no answer under `choices`: {shown}")

    def _read_choice(self, choice: Mapping[str, Any], *, is_chunk: bool) -> str:
        delta, message = choice.get("delta"), choice.get("message")
        is_whole = isinstance(message, dict) and not isinstance(delta, dict) and not is_chunk
        part = delta if isinstance(delta, dict) else message  # a message beside a delta repeats what was said before
        content = part.get("content") if isinstance(part, dict) else choice.get("text")
        piece = text_of(content)
        finish = finish_of(choice.get("finish_reason"), self._redactor)
        if isinstance(part, dict) and part.get("refusal") and not piece and self._text.said_nothing:
            said = quoted(text_of(part["refusal"]), self._redactor)
            raise InvalidRequestError(f"the model refused to answer this question: {said}")
        self._note_end(piece, finish, is_whole=is_whole)
        return self._text.feed(piece)

    def _note_end(self, piece: str, finish: str, *, is_whole: bool) -> None:
        # Some services send an end with every piece: then only the end of the stream is one.
        self._is_doubtful = self._is_doubtful or (bool(piece) and bool(finish or self._finish) and not is_whole)
        if self._finish in {"", WHOLE}:
            self._finish = finish or self._finish or (WHOLE if is_whole else "")
