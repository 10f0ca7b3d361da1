import pytest

from ha_rag.components.words import significant_stems, stem, words_of


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


def test_an_identifier_is_split_into_words():
    assert words_of("recovery_timeout_s") == ["recovery", "timeout", "s"]


def test_stop_words_have_no_stems():
    assert significant_stems("What is it that they do?") == frozenset()


def test_unicode_variants_of_a_word_are_equal():
    assert words_of("Ünïcode \ufb01ne") == words_of("U\u0308ni\u0308code fine")
