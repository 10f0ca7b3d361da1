"""The section of docs/configuration.md on services: what is sent to them, read from them, and refused."""

from __future__ import annotations

_ANSWERS = (
    ("what a service sends", "what becomes of it"),
    ("`finish_reason` `stop`, or what means it (`eos`, `end_turn`, `COMPLETE`)", "a complete answer"),
    (
        "`length`, or what means it (`max_tokens`, `model_length`)",
        "the answer, with `truncated` and `finish_reason` `length`",
    ),
    (
        "any other `finish_reason` (`insufficient_system_resource`, `tool_calls`)",
        "the answer, with `truncated` and that word",
    ),
    ('`finish_reason` `null` or `""`', "no end yet; in a whole JSON reply a complete answer"),
    ("content as a list of parts", "their text; thinking, references and images are left out"),
    (
        "`<think>...</think>` and the like in the text, in pieces, or unclosed",
        "left out; its numbers are no citations",
    ),
    ('`"error": null`, `{}`, `""`, `[]` or code 0 beside an answer', "nothing"),
    ("an end without `[DONE]` or without the last blank line; a cut or silence after the end", "a complete answer"),
    (
        "a stream labelled as JSON or text; lines of JSON; one JSON body for a stream, or a stream for one body",
        "the answer",
    ),
    (
        "a byte order mark, NaN in an unused field, lone surrogates, invalid UTF-8, `data: [DONE]` after a body",
        "the answer; what is no character becomes `\\ufffd`",
    ),
    ("headers of up to 64 kB each", "read"),
)

_FAILURES = (
    ("what a service sends", "what it counts as"),
    (
        "an error in a stream or in a reply of status 200: `event: error`, `error`, `errors`, `object: "
        '"error"`, `detail`, a message or code without a result, a list of these',
        "a failure; what the status in it says, if there is one (400, 413, 422: not counted; 429: a pause)",
    ),
    ("`finish_reason` `error`, `abort`, `network_error` and the like", "a failure"),
    ("`finish_reason` `content_filter`, `SAFETY` and the like; a refusal", "not counted"),
    ("a stream without an end; an object that is no part of a completion; nothing to show", "a failure"),
    (
        "a connection that was kept and is closed just as a request is sent, before any answer",
        "nothing: the request is sent again once, on a new connection",
    ),
)

_PAUSES = (
    ("status", "the reply has", "pause"),
    ("429, 500, 502, 503, 504, 529", "`Retry-After: 7`", "7 s"),
    ("429, 503", "`Retry-After: 2s`", "2 s"),
    ("429, 503", "`Retry-After: 1m30s`", "90 s"),
    ("429, 503", "`Retry-After: Wed, 01 Jan 2020 00:00:30 GMT`, `Date: Wed, 01 Jan 2020 00:00:00 GMT`", "30 s"),
    ("429, 503", "`Retry-After: 1577836830`, `Date: Wed, 01 Jan 2020 00:00:00 GMT`", "30 s"),
    ("429, 503", "`retry-after-ms: 250`, `Retry-After: 1`", "0.25 s"),
    (
        "429",
        "`x-ratelimit-reset-tokens: 6m0s`, `x-ratelimit-remaining-tokens: 0`, "
        "`x-ratelimit-reset-requests: 1s`, `x-ratelimit-remaining-requests: 9`",
        "360 s",
    ),
    ("429", "`x-ratelimit-reset-tokens: 6m0s`, `x-ratelimit-reset-requests: 1s`", "1 s"),
    ("429", "`x-ratelimit-reset: 1577836830`, `Date: Wed, 01 Jan 2020 00:00:00 GMT`", "30 s"),
    ("429", "`anthropic-ratelimit-tokens-reset: 2020-01-01T00:00:30Z`, `Date: Wed, 01 Jan 2020 00:00:00 GMT`", "30 s"),
    ("429", '`RateLimit: "default";r=0;t=30`', "30 s"),
    ("429, 503, 529", '`{"error": {"message": "Please try again in 20s."}}`', "20 s"),
    ("429, 503, 529", '`{"error": {"details": [{"retryDelay": "34s"}]}}`', "34 s"),
    ("429, 503, 529", '`{"retry_after": 5}`', "5 s"),
    ("429", "none of these", "2 s"),
    ("429", '`{"error": {"code": "insufficient_quota"}}`', "none: a failure"),
    ("500, 502, 503, 504, 529", "none of these", "none: a failure"),
    ("500", "`x-ratelimit-reset-requests: 7`", "none: a failure"),
    ("404", "`Retry-After: 7`", "none: a failure"),
)


_SENT = """**Sent.** `model`, `input` and, unless a setting says otherwise, `encoding_format` and `dimensions`; `model`,
`messages` and `stream`. `extra_body` and `headers` add to that; what a component sets itself cannot be replaced there
and is refused by name."""

_ABOUT = """Kinds called `openai` work with any service that has OpenAI's `/embeddings` or `/chat/completions`. What a
service says of an error is the reason in the answer's `attempts`, in whatever form it says it."""

_ABOUT_FAILURES = """**Read as a failure.** The next tier answers; after the first piece of a stream, the stream ends
with an error."""

_ABOUT_PAUSES = """**Pauses.** A service may say how long it wants no requests. Its circuit opens for that long, at most
`throttle_max_s`, and no failure is counted. A time is a number of seconds, of units (`2s`, `120ms`, `1m30s`), a Unix
time or a date."""


def services() -> str:
    """The section as Markdown."""
    head = ["## Services: what is sent, read and refused", _ABOUT, _SENT, "**Read as an answer**", _table(_ANSWERS)]
    return "\n\n".join([*head, _ABOUT_FAILURES, _table(_FAILURES), _ABOUT_PAUSES, _table(_PAUSES)]) + "\n"


def _table(rows: tuple[tuple[str, ...], ...]) -> str:
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|---" * len(rows[0]) + "|", *rest])
