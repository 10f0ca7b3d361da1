import pytest

from ha_rag.components.generators.plain import PlainGenerator
from ha_rag.interfaces import Generator
from ha_rag.messages import Passage


async def test_it_says_that_there_is_no_answer_and_lists_the_passages():
    passages = [
        Passage("breaker.md", "breaker.md#2", "A **circuit** rests for a while.", title="Breakers", heading="Recovery"),
        Passage("index.md", "index.md#0", "word " * 200),
    ]
    generation = await PlainGenerator().generate("How does a circuit recover?", passages)
    first, second, third = generation.text.splitlines()
    assert first == "No answer could be generated at the moment, but these 2 passages were found for this question:"
    assert second == "[1] Breakers > Recovery: A circuit rests for a while."
    assert third.startswith("[2] index.md: word word")
    assert third.endswith("...")
    assert generation.cited == (1, 2)


async def test_without_passages_it_says_that_none_were_found():
    generation = await PlainGenerator().generate("How?", [])
    assert "no passages were found" in generation.text
    assert generation.cited == ()


@pytest.mark.parametrize("text", ["", "```\ncode only\n```", "\x00", "\ud800", "x" * 100_000])
async def test_no_passage_makes_it_fail(text):
    generation = await PlainGenerator().generate("", [Passage("", "", text)])
    assert len(generation.text) < 400


def test_it_is_a_generator():
    assert isinstance(PlainGenerator(), Generator)
