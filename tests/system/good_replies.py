"""Replies that are good, whatever their form. Most forms are from public bug reports of gateways and clients."""

from __future__ import annotations

import orjson

from tests.components.canned import events
from tests.system.provider_replies import (
    ANSWER,
    DONE,
    FIRST,
    PIECES,
    REST,
    STOP,
    Row,
    chunk,
    completion,
    dumped,
    labelled,
    raw,
    whole,
)

GOOD = [
    Row("a whole reply", whole()),
    Row("a stream", events(*PIECES, STOP, DONE)),
    Row("a stream of single characters", events(*(chunk(c) for c in ANSWER), STOP, DONE)),
    Row("a stream with a role first", events(chunk("", role="assistant"), *PIECES, STOP, DONE)),
    Row("usage after the end", events(*PIECES, STOP, dumped({"choices": [], "usage": {"prompt_tokens": 3}}), DONE)),
    Row("usage without choices", events(*PIECES, STOP, dumped({"usage": {"prompt_tokens": 3}}), DONE)),
    Row("choices null with usage", events(*PIECES, STOP, dumped({"choices": None, "usage": None}), DONE)),
    Row(
        "Azure's filter results first",
        events(dumped({"choices": [], "prompt_filter_results": []}), *PIECES, STOP, DONE),
    ),
    Row("data without content", events("", FIRST, " ", REST, STOP, DONE)),
    # ---- errors that are none
    Row("error null in a whole reply", whole(more={"error": None})),
    Row("error null in every chunk", events(*(chunk(c, more={"error": None}) for c in [ANSWER]), STOP, DONE)),
    Row("error empty object", whole(more={"error": {}})),
    Row("error empty list", whole(more={"errors": []})),
    Row("error empty string", whole(more={"error": ""})),
    Row("error false", whole(more={"error": False})),
    Row("error with code 0", whole(more={"error": {"code": 0, "message": "success"}})),
    Row("error whose fields are null", whole(more={"error": {"code": None, "message": None, "type": ""}})),
    Row("base_resp with status 0", whole(more={"base_resp": {"status_code": 0, "status_msg": "success"}})),
    Row("error null in a chunk with usage", events(*PIECES, STOP, dumped({"choices": [], "error": None}), DONE)),
    # ---- ends
    *(
        Row(f"finish_reason {word}", whole(finish=word))
        for word in ("eos", "eos_token", "end_turn", "stop_sequence", "STOP", "COMPLETE")
    ),
    Row("a whole reply without finish_reason", whole(finish=None)),
    Row("a whole reply with an empty finish_reason", whole(finish="")),
    Row("finish_reason empty until the end", events(chunk(ANSWER, ""), chunk(finish="stop"), DONE)),
    Row("an end without [DONE]", events(*PIECES, STOP)),
    Row("[DONE] without finish_reason", events(*PIECES, DONE)),
    Row("[DONE] without the last blank line", events(*PIECES, STOP, end=b"data: [DONE]")),
    Row("the end without the last blank line", events(*PIECES, end=f"data: {STOP}".encode())),
    Row("the end with the last piece", events(FIRST, chunk("then probes [2].", "stop"))),
    Row("[DONE] without a space", events(*PIECES, STOP, end=b"data:[DONE]\n\n")),
    Row("an end, then half an event", events(*PIECES, STOP, end=b'data: {"choices": [], "usa')),
    Row("stop with every piece", events(chunk("It waits [1], ", "stop"), chunk("then probes [2].", "stop"), DONE)),
    Row("length", whole(finish="length"), finish="length"),
    Row("length in a stream", events(*PIECES, chunk(finish="length"), DONE), finish="length"),
    Row("max_tokens", whole(finish="max_tokens"), finish="length"),
    Row("model_length", whole(finish="model_length"), finish="length"),
    Row(
        "insufficient_system_resource",
        whole(finish="insufficient_system_resource"),
        finish="insufficient_system_resource",
    ),
    Row(
        "insufficient_system_resource in a stream",
        events(*PIECES, chunk(finish="insufficient_system_resource"), DONE),
        finish="insufficient_system_resource",
    ),
    Row("tool_calls beside text", whole(finish="tool_calls"), finish="tool_calls"),
    Row("length, then stop", events(*PIECES, chunk(finish="length"), STOP, DONE), finish="length"),
    # ---- shapes
    Row("parts", whole([{"type": "text", "text": "It waits [1], "}, {"type": "text", "text": "then probes [2]."}])),
    Row(
        "parts with thinking",
        whole([{"type": "thinking", "thinking": [{"type": "text", "text": "[9]"}]}, {"type": "text", "text": ANSWER}]),
    ),
    Row("parts as strings", whole(["It waits [1], ", "then probes [2]."])),
    Row("one part", whole({"type": "text", "text": ANSWER})),
    Row(
        "deltas of parts",
        events(
            chunk([{"type": "thinking", "thinking": "hm [1]"}]), chunk([{"type": "text", "text": ANSWER}]), STOP, DONE
        ),
    ),
    Row(
        "deltas with references",
        events(chunk([{"type": "reference", "reference_ids": [1]}, {"type": "text", "text": ANSWER}]), STOP, DONE),
    ),
    Row("reasoning_content", events(chunk(None, reasoning_content="hm"), *PIECES, STOP, DONE)),
    Row("thinking", whole(f"<think>perhaps [2]\n</think>\n\n{ANSWER}")),
    Row("thinking in capitals", whole(f"<THINK>perhaps [2]</THINK>{ANSWER}")),
    Row(
        "thinking without its opening tag",
        whole(f"perhaps [2]\n</think>\n\n{ANSWER}"),
        in_query=ANSWER,
        text=f"perhaps [2]\n</think>\n\n{ANSWER}",
    ),
    Row(
        "thinking in a stream",
        events(chunk("<think>"), chunk("no [2]"), chunk("</think>"), chunk("\n\n"), *PIECES, STOP, DONE),
    ),
    Row("thinking split anywhere", events(*(chunk(c) for c in f"<think>no [2]</think>{ANSWER}"), STOP, DONE)),
    Row(
        "thinking within the answer",
        events(chunk("It waits [1], <thi"), chunk("nk>[2]</th"), chunk("ink>then probes [2]."), STOP, DONE),
    ),
    Row("unclosed thinking after the answer", events(chunk(f"{ANSWER}<think>"), chunk("but [2]"), STOP, DONE)),
    Row("what looks like a tag", events(chunk("It is <th"), chunk("e first"), STOP, DONE), text="It is <the first"),
    Row("a bracket at the end", events(chunk("a <"), STOP, DONE), text="a <"),
    Row("a tag in a quotation", whole("Write `<think>` [1]."), text="Write `<think>` [1]."),
    Row(
        "one lone surrogate",
        raw(dumped(completion("It waits X [1].")).replace("X", "\\ud83d").encode()),
        text="It waits \ufffd [1].",
    ),
    Row(
        "a pair of surrogates",
        raw(dumped(completion("It waits X [1].")).replace("X", "\\ud83d\\ude00").encode()),
        text="It waits \U0001f600 [1].",
    ),
    Row(
        "a pair split over two pieces",
        events(chunk("It waits X").replace("X", "\\ud83d"), chunk("X [1].").replace("X", "\\ude00"), STOP, DONE),
        text="It waits \U0001f600 [1].",
    ),
    Row(
        "half a pair at the end",
        events(chunk("It waits X").replace("X", "\\ud83d"), STOP, DONE),
        text="It waits \ufffd",
    ),
    Row("a byte order mark", raw(b"\xef\xbb\xbf" + orjson.dumps(completion()))),
    Row("a byte order mark before a stream", labelled("text/event-stream", "\ufeff" + FIRST, REST, STOP, DONE)),
    Row(
        "a byte order mark before the first field",
        raw(b"\xef\xbb\xbf" + b"".join(f"data: {p}\n\n".encode() for p in (*PIECES, STOP, DONE)), "text/event-stream"),
    ),
    Row("UTF-16", raw(dumped(completion()).encode("utf-16"))),
    Row("NaN in a field nobody reads", raw(orjson.dumps(completion()).replace(b'"stop"', b'"stop","logprobs":NaN'))),
    Row("Infinity in a chunk", events(FIRST.replace("null", 'null,"score":-Infinity'), REST, STOP, DONE)),
    Row(
        "a line break within a string",
        raw(orjson.dumps(completion("It\nwaits [1].")).replace(b"\\n", b"\n")),
        text="It\nwaits [1].",
    ),
    Row(
        "a byte that is not UTF-8",
        raw(orjson.dumps(completion("It X waits [1].")).replace(b"X", b"\xff")),
        text="It \ufffd waits [1].",
    ),
    Row("a body followed by [DONE]", raw(orjson.dumps(completion()) + b"\n\ndata: [DONE]\n\n")),
    Row(
        "a body followed by [DONE], labelled as a stream",
        raw(orjson.dumps(completion()) + b"data: [DONE]\n\n", "text/event-stream"),
    ),
    Row("a whole reply as one event", events(dumped(completion()), DONE)),
    Row("a whole reply in several lines", raw(orjson.dumps(completion(), option=orjson.OPT_INDENT_2))),
    Row("a stream labelled as JSON", labelled("application/json", *PIECES, STOP, DONE)),
    Row("a stream labelled as text", labelled("text/plain; charset=utf-8", *PIECES, STOP, DONE)),
    Row("a stream labelled as bytes", labelled("application/octet-stream", *PIECES, STOP, DONE)),
    Row("a stream labelled as HTML", labelled("text/html", *PIECES, STOP, DONE)),
    Row("lines of JSON", raw("\n".join([*PIECES, STOP]).encode(), "application/x-ndjson")),
    Row(
        "comments and names",
        raw(
            b": ping\n\nevent: message\nid: 1\n" + b"".join(f"data: {p}\r\n\r\n".encode() for p in (*PIECES, STOP)),
            "text/event-stream",
        ),
    ),
    Row("pings", events(dumped({"type": "ping"}), FIRST, "{}", REST, STOP, DONE)),
    Row(
        "a named event of another kind",
        raw(
            b'event: metadata\ndata: {"run": 1}\n\n' + b"".join(f"data: {p}\n\n".encode() for p in (*PIECES, STOP)),
            "text/event-stream",
        ),
    ),
    Row("a header of 20 kB", raw(orjson.dumps(completion()), X_Trace="x" * 20_000)),
    Row(
        "delta and message",
        events(
            *(
                chunk(p).replace('"delta"', '"message":{"content":"all"},"delta"')
                for p in ("It waits [1], ", "then probes [2].")
            ),
            STOP,
            DONE,
        ),
    ),
    Row("text instead of a message", raw(orjson.dumps({"choices": [{"text": ANSWER, "finish_reason": "stop"}]}))),
    Row("blanks around the answer", whole(f" \n{ANSWER}\n "), in_query=ANSWER, text=f"{ANSWER}\n "),
]
