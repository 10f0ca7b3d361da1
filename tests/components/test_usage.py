"""Usage: what services report about their work; implausible values are ignored."""

from __future__ import annotations

import asyncio

import pytest

from ha_rag.components.usage import Usage, note_usage, usage_heard, usage_heard_by
from ha_rag.messages import TokenUsage
from ha_rag.redaction import Redactor

REPLY = {
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"finish_reason": "length"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 12},
}


def test_usage_is_collected_only_within_the_block():
    with usage_heard() as usage:
        note_usage(REPLY)
    note_usage({"usage": {"prompt_tokens": 1}})

    assert usage == Usage(9, 12, "gpt-4o-mini-2024-07-18", "length")


async def test_usage_of_a_task_started_in_the_block_is_collected_but_not_of_other_blocks():
    async def one(tokens):
        with usage_heard() as usage:
            await asyncio.create_task(later(tokens))
        return usage.input_tokens

    async def later(tokens):
        await asyncio.sleep(0)
        note_usage({"usage": {"prompt_tokens": tokens}})

    assert tuple(await asyncio.gather(one(1), one(2))) == (1, 2)


def test_the_last_value_of_a_stream_is_kept():
    with usage_heard() as usage:
        note_usage({"model": "m", "choices": [{"finish_reason": "stop"}]})
        note_usage({"model": "m", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}})

    assert usage == Usage(3, 4, "m", "stop")


@pytest.mark.parametrize(
    "reply",
    [
        {"usage": None, "model": None, "choices": None},
        {"usage": [], "model": "", "choices": [None]},
        {"usage": {"prompt_tokens": "9", "completion_tokens": True}, "model": "a\nb"},
        {"usage": {"prompt_tokens": -1, "completion_tokens": 10**20}, "model": "m" * 500},
        {"choices": [{"finish_reason": {"a": 1}}]},
    ],
)
def test_implausible_values_are_ignored(reply):
    with usage_heard() as usage:
        note_usage(reply)

    assert usage == Usage()


def test_an_enclosing_block_hears_the_same():
    with usage_heard() as outer:
        with usage_heard() as inner:
            note_usage(REPLY)
        note_usage({"usage": {"completion_tokens": 20}})

    assert (inner.tokens(), outer.tokens()) == (TokenUsage(9, 12), TokenUsage(9, 20))


def test_several_steps_are_heard_by_one_value():
    usage = Usage()
    for reply in ({"usage": {"prompt_tokens": 3}}, {"usage": None}, {"usage": {"completion_tokens": 4}}):
        with usage_heard_by(usage):
            note_usage(reply)

    assert usage.tokens() == TokenUsage(3, 4)


@pytest.mark.parametrize("reported", [{}, {"prompt_tokens": 3}, {"prompt_tokens": 3, "completion_tokens": -1}])
def test_without_both_counts_the_tokens_are_unknown(reported):
    with usage_heard() as usage:
        note_usage({"usage": reported})

    assert usage.tokens() is None


def test_a_key_that_a_service_repeats_as_its_model_is_in_no_span():
    with usage_heard() as usage:
        note_usage({"model": "sk-secret-1", "choices": [{"finish_reason": "SK-SECRET-1"}]}, Redactor(["sk-secret-1"]))

    assert (usage.model, usage.finish_reason) == ("***", "***")
