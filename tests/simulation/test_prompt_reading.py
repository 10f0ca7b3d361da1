import pytest

from ha_rag.components.generators.prompt import chat_messages
from ha_rag.messages import Passage
from ha_rag.simulation.chat import answer_to
from ha_rag.simulation.prompt_reading import passages_in, question_in

PASSAGES = [
    Passage("a.md", "a.md#0", "A circuit rests.\n\nThen it probes."),
    Passage("b.md", "b.md#3", "Bread is baked."),
]


def test_our_own_prompt_is_parsed_completely():
    prompt = chat_messages("How does a circuit recover?", PASSAGES)[1]["content"]
    assert question_in(prompt) == "How does a circuit recover?"
    assert [(p.id, p.document, p.text) for p in passages_in(prompt)] == [
        ("1", "a.md", PASSAGES[0].text),
        ("2", "b.md", PASSAGES[1].text),
    ]


def test_the_common_format_of_other_programs_is_parsed():
    prompt = "Context:\n[1] A circuit rests.\nThen it probes.\n[2] Bread is baked.\n\nQuestion: How does it recover?"
    assert question_in(prompt) == "How does it recover?"
    assert [p.text for p in passages_in(prompt)] == ["A circuit rests.\nThen it probes.", "Bread is baked."]


def test_a_prompt_without_passages_is_only_a_question():
    assert question_in("How does it recover?") == "How does it recover?"
    assert passages_in("How does it recover?") == []


def test_citations_use_the_numbers_of_the_prompt():
    passage = '<passage n="4" from="b.md">\nBread is baked in an oven.\n</passage>'
    prompt = f"{passage}\n<question>\nHow is bread baked?\n</question>"
    assert answer_to(prompt) == "(Simulated answer) Bread is baked in an oven [4]."


@pytest.mark.parametrize("footnote", ["[7]", "[0]", "[007]", "[7, 8]", "[99999]"])
def test_a_footnote_of_a_passage_is_quoted_as_it_is(footnote):
    passage = Passage("oven.md", "oven.md#0", f"Bread is baked in an oven{footnote}.")
    prompt = str(chat_messages("Where is bread baked?", [passage])[-1]["content"])

    assert answer_to(prompt).startswith(f"(Simulated answer) Bread is baked in an oven{footnote}")
