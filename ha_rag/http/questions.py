"""What may be asked, as the pipeline itself has it: 1 to 8,000 characters, more than blanks.

Control characters count as blanks. HTML is text like any other: it is searched as it stands, and whoever shows it
escapes it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from ha_rag.errors import ConfigurationError
from ha_rag.strategy.question import MAX_QUESTION_CHARS, MAX_TOP_K, checked_question


def _asked(text: str) -> str:
    try:
        return checked_question(text)
    except ConfigurationError as error:
        raise ValueError(str(error).removeprefix("question: ")) from None


def _whole(number: object) -> object:
    # JSON knows one kind of number: 3.0 is 3, and some languages write every number like that.
    return int(number) if isinstance(number, float) and number.is_integer() else number


# The pattern only describes the rule that `_asked` holds.
QuestionText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_QUESTION_CHARS,
        examples=["How does a circuit recover?"],
        json_schema_extra={"pattern": r"[^\s\x00-\x1f\x7f-\x9f]"},
    ),
    AfterValidator(_asked),
]
TopK = Annotated[
    int,
    Field(ge=1, le=MAX_TOP_K, description="How many passages to answer from."),
    BeforeValidator(_whole),
]
TimeoutS = Annotated[
    float,
    Field(gt=0, le=3600, description="Seconds this question may take; the server's own limit still holds."),
]
