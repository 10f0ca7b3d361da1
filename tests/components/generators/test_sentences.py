import pytest

from ha_rag.components.generators.sentences import sentences_of
from tests.cpu_time import cpu_s

PAGE = """# Recovery

A circuit *rests* for its **recovery timeout**. After that, it lets
one `probe` pass (see [the law](law.md)).

| state | calls |
|---|---|
| open | refused at once by the circuit |

```python
circuit = registry.breaker("payments")
```

- Two good probes close the circuit.
- A failed probe opens it again:

1. First the rest grows longer.

> A quoted line is a sentence too.

![a picture of it](x.png)
<!-- nobody reads this comment -->
"""


def test_a_page_becomes_plain_sentences_without_code_tables_and_headings():
    assert sentences_of(PAGE) == (
        "A circuit rests for its recovery timeout.",
        "After that, it lets one probe pass (see the law).",
        "Two good probes close the circuit.",
        "First the rest grows longer.",
        "A quoted line is a sentence too.",
    )


@pytest.mark.parametrize(
    "sentence",
    [
        "Set recovery_timeout_s, e.g. to 5.5 s, i.e. more than a probe takes.",
        "It was written by M. T. Nygard and by Dr. Fowler, cf. Their books.",
        "Dr. Nygard wrote about it in ch. 5 of his book.",
        "The address http://127.0.0.1:8000/v1 answers to all of them.",
        "It costs 2 * 3 commands or 4 * 5 of them at most.",
    ],
)
def test_a_full_stop_inside_a_sentence_does_not_end_it(sentence):
    assert sentences_of(sentence) == (sentence,)


@pytest.mark.parametrize("end", ["within 5 ms.", "for at most 10 s.", "and the answer is no."])
def test_a_full_stop_after_a_unit_ends_a_sentence(end):
    assert sentences_of(f"The circuit decides {end} Then it lets calls pass.") == (
        f"The circuit decides {end}",
        "Then it lets calls pass.",
    )


def test_questions_and_exclamations_end_sentences():
    assert sentences_of("Who opened the circuit? The third replica did! Nobody else saw it.") == (
        "Who opened the circuit?",
        "The third replica did!",
        "Nobody else saw it.",
    )


def test_separate_full_stops_end_sentences_even_before_small_letters():
    assert sentences_of("the wing was studied in a slipstream . the lift was larger there .") == (
        "the wing was studied in a slipstream .",
        "the lift was larger there .",
    )


def test_an_unclosed_code_block_hides_what_follows():
    assert sentences_of("One sentence stands before it.\n```\nx = 1\nprint it to the screen.") == (
        "One sentence stands before it.",
    )


@pytest.mark.parametrize("text", ["", "   \n\n", "# Only a heading here", "```\ncode\n```", "one two", "| a | b | c |"])
def test_a_passage_without_prose_has_no_sentences(text):
    assert sentences_of(text) == ()


@pytest.mark.parametrize(
    "piece", ["(", "[", "[a", "![", "*", "**a ", "_a ", "<a", "<!--", "`", "a. ", "| ", "1. ", "- "]
)
def test_pathological_text_is_read_in_reasonable_time(piece):
    assert cpu_s(lambda: sentences_of(piece * 50_000)) < 5
