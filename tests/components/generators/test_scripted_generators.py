import pytest

from ha_rag.components.generators.refusal import is_refusal
from ha_rag.components.generators.scripted import FallbackGenerator, PrimaryGenerator
from ha_rag.components.script import Script
from ha_rag.errors import ServiceError
from ha_rag.interfaces import Generator
from ha_rag.messages import Passage

PASSAGES = [
    Passage("a.md", "a.md#0", "A circuit rests after it opened. Then a circuit lets one probe pass. It closes again."),
    Passage("b.md", "b.md#0", "A circuit opens when half of the calls failed."),
]
QUESTION = "How does a circuit recover?"


@pytest.mark.parametrize("passages", [PASSAGES, []])
async def test_the_fallbacks_answer_is_shorter_with_and_without_passages(passages):
    full = await PrimaryGenerator().generate(QUESTION, passages)
    short = await FallbackGenerator().generate(QUESTION, passages)
    assert 0 < len(short.text) < len(full.text)


async def test_with_passages_both_cite_them():
    assert (await PrimaryGenerator().generate(QUESTION, PASSAGES)).cited == (1, 2)
    assert len((await FallbackGenerator().generate(QUESTION, PASSAGES)).cited) == 1


async def test_without_passages_neither_claims_to_know():
    assert "found nothing" in (await PrimaryGenerator().generate(QUESTION, [])).text
    assert "cannot answer this" in (await FallbackGenerator().generate(QUESTION, [])).text


@pytest.mark.parametrize("kind", [PrimaryGenerator, FallbackGenerator])
async def test_it_fails_on_a_script_and_then_recovers(kind):
    generator = kind(script=Script.failing(first=1))
    assert isinstance(generator, Generator)
    with pytest.raises(ServiceError):
        await generator.generate(QUESTION, PASSAGES)
    assert (await generator.generate("a {curly} question", [])).text


@pytest.mark.parametrize("kind", [PrimaryGenerator, FallbackGenerator])
async def test_a_refusal_begins_as_every_refusal_does(kind):
    generation = await kind().generate("What is the capital of Mongolia?", PASSAGES)
    assert is_refusal(generation.text)
