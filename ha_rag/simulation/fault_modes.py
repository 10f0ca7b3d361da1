"""FaultMode: how a simulated service can be made to fail. Imports nothing: the command `ha-rag break` lists it too."""

from __future__ import annotations

import enum


class FaultMode(enum.StrEnum):
    """How it fails.

    error: HTTP `status`. slow: a correct response after `delay_s`. drip: a correct response in pieces, with `delay_s`
    between them: the events of a stream, or the halves of any other response. hang: no response until the fault ends or
    the caller disconnects. throttle: HTTP `status` with a Retry-After of `retry_after_s`. garbage: status 200 with an
    unusable body. reset: the connection is reset. truncate: a correct response that is cut off in the middle.
    closing: every connection is closed at its second request. detail: HTTP 500 with FastAPI's error. limit: HTTP 429
    without Retry-After, but with the reset of a rate limit. no-base64: vectors are refused unless requested as floats.
    The rest are dialects of other services: see `dialects.py`.
    """

    ERROR = "error"
    SLOW = "slow"
    DRIP = "drip"
    HANG = "hang"
    THROTTLE = "throttle"
    GARBAGE = "garbage"
    RESET = "reset"
    TRUNCATE = "truncate"
    CLOSING = "closing"
    DETAIL = "detail"
    LIMIT = "limit"
    NO_BASE64 = "no-base64"
    ERROR_EVENT = "error-event"
    ERROR_OBJECT = "error-object"
    ERROR_MESSAGE = "error-message"
    NO_END = "no-end"
    NO_DONE = "no-done"
    LENGTH = "length"
    PARTS = "parts"
    THINKING = "thinking"
    SURROGATES = "surrogates"
    LENIENT = "lenient"
    DONE_AFTER = "done-after"
    MISLABELLED = "mislabelled"
    WHOLE = "whole"
    BIG_HEADERS = "big-headers"
