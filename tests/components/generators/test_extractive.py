import pytest

from ha_rag.components.generators.extractive import CLOSEST, NO_PROSE, NOTHING_FOUND, ExtractiveGenerator
from ha_rag.errors import ConfigurationError
from ha_rag.interfaces import Generator
from ha_rag.messages import Passage

BREAKER = Passage(
    "breaker.md",
    "breaker.md#2",
    "A circuit breaker counts failures. When half of the calls fail, the circuit opens and refuses calls.\n\n"
    "After the recovery timeout, the circuit turns half-open and lets one probe pass. "
    "Two good probes close it, and the circuit has recovered. A failed probe opens it again.",
    title="Circuit breakers",
    heading="Recovery",
)
INDEX = Passage(
    "index.md",
    "index.md#0",
    "Documents are split into passages of some 200 tokens. Each passage keeps the headings above it. "
    "A circuit is not needed to read the index.",
    title="Index",
)
CAKE = Passage("cake.md", "cake.md#0", "Preheat the oven to 180 degrees. Butter the tin before you pour in the dough.")


def answered(question, *passages, **settings):
    return ExtractiveGenerator(**settings).answer(question, passages)


async def test_it_is_a_generator():
    generator = ExtractiveGenerator()
    assert isinstance(generator, Generator)
    assert (await generator.generate("How does a circuit recover?", [BREAKER])).text


def test_it_answers_with_the_sentences_about_the_question():
    generation = answered("How does a circuit recover?", INDEX, BREAKER)
    assert "has recovered [2]." in generation.text
    assert "tokens" not in generation.text
    assert generation.cited == (2,)


def test_sentences_of_several_passages_are_cited_by_their_own_numbers():
    generation = answered("How are documents split, and when does the circuit open?", INDEX, BREAKER)
    assert "200 tokens [1]." in generation.text
    assert "refuses calls [2]." in generation.text
    assert generation.cited == (1, 2)


def test_sentences_keep_the_order_they_have_in_the_documents():
    text = answered("When does a circuit open and refuse calls after failures, and what do probes close?", BREAKER).text
    assert text.index("half of the calls fail") < text.index("good probes close")


def test_the_answer_is_the_same_every_time():
    assert len({answered("When does a circuit open?", BREAKER, INDEX, CAKE).text for _ in range(5)}) == 1


def test_similar_sentences_are_quoted_once():
    twin = Passage("copy.md", "copy.md#0", BREAKER.text)
    text = answered("When does the circuit open?", BREAKER, twin).text
    assert text.count("When half of the calls fail") == 1


def test_passages_about_something_else_are_quoted_with_a_warning():
    generation = answered("What is the capital of France?", CAKE)
    assert generation.text == f"{CLOSEST}Preheat the oven to 180 degrees [1]."
    assert generation.cited == (1,)


def test_without_passages_the_answer_says_so():
    generation = answered("How does a circuit recover?")
    assert (generation.text, generation.cited) == (NOTHING_FOUND, ())


def test_code_is_quoted_where_it_is_asked_for():
    generation = answered("What is x?", Passage("a.md", "a.md#0", "```\nx = 1\n```"))
    assert (generation.text, generation.cited) == ("`x = 1` [1].", (1,))


def test_passages_without_content_are_not_quoted():
    generation = answered("What is x?", Passage("a.md", "a.md#0", "# Only a heading"))
    assert (generation.text, generation.cited) == (NO_PROSE, ())


@pytest.mark.parametrize("question", ["", "?!", "what is it", "\x00\ud800", "circuit " * 1000])
def test_every_question_gets_an_answer(question):
    assert answered(question, BREAKER).text


def test_the_limits_on_sentences_and_length_are_respected():
    assert answered("When does the circuit open?", BREAKER, max_sentences=1).text.count("[1]") == 1
    assert len(answered("When does the circuit open?", BREAKER, max_chars=20).text) < 120


@pytest.mark.parametrize("settings", [{"max_sentences": 0}, {"max_chars": 0}])
def test_an_invalid_limit_is_refused(settings):
    with pytest.raises(ConfigurationError):
        ExtractiveGenerator(**settings)
