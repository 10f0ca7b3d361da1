"""What becomes of a provider's reply to a request for a vector: who embeds, what the attempt says, what counts."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from ha_rag.components.embedders.openai import OpenAIEmbedder
from ha_rag.components.service_config import ServiceConfig
from ha_rag.interfaces import Embedder
from ha_rag.outcomes import Outcome
from ha_rag.strategy import FallbackStrategy, Tier
from ha_rag.system import HighAvailabilityRAG
from tests.components.canned import canned_service
from tests.strategy.scripted import Scripted, ScriptedCircuits
from tests.system.provider_replies import OVERLOADED, raw
from tests.waiting import PATIENCE_S

CIRCUIT = "embedder.primary"
ITEM = {"object": "embedding", "index": 0, "embedding": [0.5, 0.5, 0.5, 0.5]}
GOOD: dict[str, Any] = {"object": "list", "data": [ITEM]}
FAILED, INVALID, OK, THROTTLED = Outcome.FAILED, Outcome.INVALID, Outcome.OK, Outcome.THROTTLED


def body(value: Any, status: str = "200 OK", **headers: str) -> bytes:
    return raw(value if isinstance(value, bytes) else orjson.dumps(value), status=status, **headers)


ROWS = [
    ("a vector", body(GOOD), OK, ""),
    ("error null", body({**GOOD, "error": None}), OK, ""),
    ("an empty list of errors", body({**GOOD, "errors": []}), OK, ""),
    ("a message beside a vector", body({**GOOD, "message": "ok", "code": 0}), OK, ""),
    ("a byte order mark", body(b"\xef\xbb\xbf" + orjson.dumps(GOOD)), OK, ""),
    ("NaN in an unused field", body(orjson.dumps(GOOD).replace(b"{", b'{"score":NaN,', 1)), OK, ""),
    ("followed by [DONE]", body(orjson.dumps(GOOD) + b"\n\ndata: [DONE]\n\n"), OK, ""),
    ("a header of 20 kB", body(GOOD, X_Trace="x" * 20_000), OK, ""),
    ("labelled as text", raw(orjson.dumps(GOOD), "text/plain"), OK, ""),
    ("NaN in the vector", body(orjson.dumps(GOOD).replace(b"0.5,", b"NaN,", 1)), FAILED, "not finite"),
    ("an error in a 200", body({"error": {"message": OVERLOADED}}), FAILED, OVERLOADED),
    ("an error beside a vector", body({**GOOD, "error": {"message": OVERLOADED}}), FAILED, OVERLOADED),
    ("object error in a 200", body({"object": "error", "message": OVERLOADED, "code": 40_301}), FAILED, OVERLOADED),
    ("a detail in a 200", body({"detail": OVERLOADED}), FAILED, OVERLOADED),
    ("a list in a 200", body([{"error": {"message": OVERLOADED, "code": 503}}]), FAILED, OVERLOADED),
    ("a 400 in a 200", body({"error": {"message": OVERLOADED, "code": 400}}), INVALID, OVERLOADED),
    ("a 429 in a 200", body({"error": {"message": "try again in 20s", "code": 429}}), THROTTLED, "retry after 20 s"),
    ("no vectors", body({"object": "list", "data": []}), FAILED, "0 vectors for 1 texts"),
    ("vectors alone", body([[0.5, 0.5, 0.5, 0.5]]), FAILED, "no list of vectors"),
    ("half a body", body(orjson.dumps(GOOD)[:-9]), FAILED, "not JSON"),
    ("nothing", body(b""), FAILED, "the response is empty"),
    ("base64 refused", body({"error": {"message": "no base64"}}, "400 No"), INVALID, "HTTP 400: no base64"),
    ("429 with a reset", body({}, "429 No", x_ratelimit_reset_tokens="2s"), THROTTLED, "retry after 2 s"),
    ("429 without a time", body({"detail": OVERLOADED}, "429 No"), THROTTLED, OVERLOADED),
    ("500 in detail", body({"detail": [{"msg": OVERLOADED}]}, "500 No"), FAILED, f"HTTP 500: {OVERLOADED}"),
    ("529 with seconds", body({}, "529 No", Retry_After="7"), THROTTLED, "retry after 7 s"),
    ("500 whose body is cut", body({"detail": OVERLOADED}, "500 No", Content_Length="999"), FAILED, OVERLOADED),
]  # fmt: skip


@pytest.mark.parametrize(("answered", "outcome", "says"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
async def test_a_reply_to_a_request_for_a_vector(answered: bytes, outcome: Outcome, says: str) -> None:
    circuits = ScriptedCircuits()
    async with canned_service(answered) as service:
        primary = OpenAIEmbedder(ServiceConfig(base_url=service.base_url, timeout_s=PATIENCE_S), model="m", dimension=4)
        embedders: list[Tier[Embedder]] = [Tier("primary", primary, 5.0), Tier("next", Scripted(), 5.0)]
        strategy = FallbackStrategy(embedders=embedders, retrievers=[Scripted()], generators=[Scripted()])
        async with HighAvailabilityRAG(strategy, circuits) as rag:
            answer = await rag.query("How?")
        await primary.aclose()
    attempt = answer.attempts[0]
    assert (attempt.circuit, attempt.outcome, says in attempt.reason) == (CIRCUIT, outcome, True), attempt.reason
    assert answer.served_by["embedder"] == ("primary" if outcome is OK else "next")
    assert circuits[CIRCUIT].reported == [outcome]
