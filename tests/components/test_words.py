import pytest

from ha_rag.components.words import stem, telling_stems, words_of


@pytest.mark.parametrize(
    "forms",
    [
        ["recover", "recovers", "recovered", "recovering", "recovery"],
        ["circuit", "circuits"],
        ["close", "closes", "closed", "closing"],
        ["probe", "probes", "probing"],
        ["query", "queries"],
    ],
)
def test_the_forms_of_a_word_share_one_stem(forms):
    assert len({stem(form) for form in forms}) == 1


def test_a_name_in_code_is_its_words():
    assert words_of("recovery_timeout_s") == ["recovery", "timeout", "s"]


def test_common_words_tell_nothing():
    assert telling_stems("What is it that they do?") == frozenset()


def test_letters_written_in_two_ways_are_one_word():
    assert words_of("Ünïcode \ufb01ne") == words_of("U\u0308ni\u0308code fine")
