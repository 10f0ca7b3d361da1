"""A profile is used if it is about these documents, these components and this version; if not, it says why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.profiles.corpus import CorpusVersion
from ha_rag.profiles.fitting import Present, misfits
from ha_rag.profiles.profile import ComponentMark
from tests.profiles.profiles import CORPUS, MARKS, PROFILE

HERE = Present(CORPUS, MARKS, "0.1.0")


def corpus(last: int) -> CorpusVersion:
    return CorpusVersion.of((f"d{n}", str(n)) for n in range(last))


def test_a_profile_of_the_same_fits():
    assert misfits(PROFILE, HERE) == ()


def test_a_few_documents_more_or_fewer_do_not_matter():
    assert misfits(PROFILE, replace(HERE, corpus=corpus(108))) == ()
    assert misfits(PROFILE, replace(HERE, corpus=corpus(92))) == ()


def test_a_component_that_is_no_longer_configured_does_not_matter():
    assert misfits(PROFILE, replace(HERE, components={"retriever.primary": MARKS["retriever.primary"]})) == ()


@pytest.mark.parametrize(
    ("here", "said"),
    [
        (replace(HERE, ha_rag="0.2.0"), "it was measured with version 0.1.0, and this is 0.2.0"),
        (
            replace(HERE, corpus=corpus(125)),
            "it was measured on another corpus: of its 100 documents and the 125 here 80 % are the same",
        ),
        (
            replace(HERE, corpus=CorpusVersion(0, ())),
            "it was measured on another corpus: of its 100 documents and the 0 here 0 % are the same",
        ),
        (
            replace(HERE, components={"embedder.primary": ComponentMark("local", "bge/384, settings 1")}),
            "embedder.primary was wordllama/256, settings 1, and is bge/384, settings 1",
        ),
        (
            replace(HERE, components={"embedder.primary": ComponentMark("openai", "wordllama/256, settings 1")}),
            "embedder.primary was of the kind local, and is openai",
        ),
        (
            replace(HERE, components={**MARKS, "reranker.cross": ComponentMark("local")}),
            "reranker.cross was not measured",
        ),
    ],
)
def test_a_profile_of_something_else_does_not_fit_and_says_why(here, said):
    assert misfits(PROFILE, here) == (said,)
