"""What a person reads where the documents were not searched or no generator answered: what was out.

A client may show nothing but the text, so the text must not say "nothing was found" if nothing could be searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ha_rag.components.generators.plain import NO_ANSWER, plain_answer
from ha_rag.messages import Attempt, ComponentType, Generation, Passage
from ha_rag.outcomes import Outcome
from ha_rag.strategy.last_resort import NAMES

OUT = (
    "The documents cannot be searched at the moment ({names} {are} out of order), so this is not what they say about "
    "the question. Please try again later."
)
NO_TIME_TO_SEARCH = (
    "There was not enough time to search the documents within the time limit of this question, so this is not what "
    "they say about it. Please ask again with a longer time limit."
)
NO_TIME_TO_ANSWER = "There was not enough time to generate an answer within the time limit of this question"
EARLIER = (
    "The services that write answers are out of order at the moment. This is the answer that was given to the same "
    "question {ago}:"
)
OF_TIME = frozenset({Outcome.SKIPPED, Outcome.CANCELLED})
"""How attempts end for which the question's own time limit left no time."""


def search_notice(served_by: str, attempts: Sequence[Attempt]) -> str:
    """What to say before the answer if no retriever could search; "" if one did, or if there is none.

    `served_by`, `attempts`: of the retrieval stage.
    """
    tried = _tried(ComponentType.RETRIEVER, attempts)
    if served_by != NAMES[ComponentType.RETRIEVER] or not tried:
        return ""
    if _lacked_time(tried):
        return NO_TIME_TO_SEARCH
    names = list(dict.fromkeys(attempt.circuit.partition(".")[2] for attempt in tried))
    return OUT.format(names=_listed(names), are="is" if len(names) == 1 else "are")


def earlier_notice(age_s: float) -> str:
    """What to say before an earlier answer. `age_s`: how many seconds ago it was given."""
    for name, length_s in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if age_s >= length_s:
            number = int(age_s // length_s)
            return EARLIER.format(ago=f"{number} {name}{'s' if number > 1 else ''} ago")
    return EARLIER.format(ago="less than a minute ago")


def noticed(notice: str, generation: Generation) -> Generation:
    """`generation` with the notice before its text."""
    return replace(generation, text=after_notice(notice, generation.text)) if notice else generation


def after_notice(notice: str, text: str) -> str:
    """`text` with the notice before it, if there is one."""
    return f"{notice}\n\n{text}" if notice else text


def last_words(passages: Sequence[Passage], attempts: Sequence[Attempt], notice: str = "") -> Generation:
    """The answer without a generator: the notice, or the passages that were found. `attempts`: of the generators."""
    if notice:
        return Generation(notice)
    tried = _tried(ComponentType.GENERATOR, attempts)
    return plain_answer(passages, NO_TIME_TO_ANSWER if tried and _lacked_time(tried) else NO_ANSWER)


def _tried(stage: ComponentType, attempts: Sequence[Attempt]) -> list[Attempt]:
    """The attempts at tiers, without that of the last resort."""
    return [attempt for attempt in attempts if attempt.circuit != f"{stage}.{NAMES[stage]}"]


def _lacked_time(tried: Sequence[Attempt]) -> bool:
    return all(attempt.outcome in OF_TIME for attempt in tried)


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
