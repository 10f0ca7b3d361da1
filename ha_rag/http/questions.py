"""The fields of a question, with the pipeline's own limits: 1 to 8,000 characters, not only blanks.

Control characters count as blanks. HTML is not treated specially: clients escape it when they show it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from ha_rag.errors import ConfigurationError
from ha_rag.strategy.question import MAX_QUESTION_CHARS, MAX_TOP_K, checked_question


def _valid_question(text: str) -> str:
    try:
        return checked_question(text)
    except ConfigurationError as error:
        raise ValueError(str(error).removeprefix("question: ")) from None


def _integral(number: object) -> object:
    # JSON has one number type, and some languages write 3 as 3.0.
    return int(number) if isinstance(number, float) and number.is_integer() else number


# The pattern only documents the rule; `_valid_question` enforces it.
QuestionText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_QUESTION_CHARS,
        examples=["How does a circuit recover?"],
        json_schema_extra={"pattern": r"[^\s\x00-\x1f\x7f-\x9f]"},
    ),
    AfterValidator(_valid_question),
]
TopK = Annotated[
    int,
    Field(ge=1, le=MAX_TOP_K, description="Number of passages to answer from."),
    BeforeValidator(_integral),
]
TimeoutS = Annotated[
    float,
    Field(gt=0, le=3600, description="Time limit in seconds; the server's own limit still applies."),
]
