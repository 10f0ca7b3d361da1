import pytest

from ha_rag.components.generators.citations import cited_in


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("It rests [1].", (1,)),
        ("It rests [2][1]. Then it probes [2].", (2, 1)),
        ("Both say so [1, 3].", (1, 3)),
        ("Nothing is cited.", ()),
        ("Out of thin air [4] [0] [99999].", ()),
        ("An index x[2] counts too.", (2,)),
        ("A [link](http://a) and [note] do not.", ()),
    ],
)
def test_numbers_in_brackets_are_citations_if_the_passage_exists(text, cited):
    assert cited_in(text, passages=3) == cited
