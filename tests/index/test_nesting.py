"""The nesting depth of Markdown, and that deep nesting neither slows splitting down nor loses words."""

import re

import pytest

from ha_rag.index.document import Document
from ha_rag.index.nesting import nesting
from ha_rag.index.splitting import DEEPEST_NESTING, split


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("Plain words.\n\nAnd more of them.", 0),
        ("> a quote", 1),
        (">>> a quote in a quote in a quote", 3),
        ("> > with blanks between them", 2),
        ("- an item\n- and its neighbour", 1),
        ("- an item\n  - one in it\n    - and one in that", 3),
        ("- an item\n  - one in it\n- and back again\n  - one in that", 2),
        ("1. first\n2. second", 1),
        ("1) first\n   * in it", 2),
        ("- - - three marks on one line", 3),
        ("> - an item in a quote", 2),
        ("- > a quote in an item", 2),
    ],
)
def test_the_depth_is_that_of_the_deepest_quote_or_list_item(text: str, depth: int) -> None:
    assert nesting(text) == depth


@pytest.mark.parametrize("text", ["- - -", "* * * * *", "---", "-5 degrees", "1.5 seconds", "*emphasis*", "a > b"])
def test_rules_numbers_and_emphasis_are_not_lists(text: str) -> None:
    assert nesting(text) == 0


@pytest.mark.parametrize("mark", ["> ", "- ", "1. "])
def test_a_text_nested_too_deeply_keeps_all_its_words(mark: str) -> None:
    """As somebody's export, or an attack: parsed by structure, a few hundred levels take minutes."""
    before = mark if mark == "> " else " " * len(mark)
    text = "\n".join(f"{before * depth}{mark}word{depth}" for depth in range(3 * DEEPEST_NESTING))
    assert nesting(text) == 3 * DEEPEST_NESTING

    chunks = split(Document(id="deep.md", text=text, markdown=True))

    kept = {word for chunk in chunks for word in re.findall(r"word\d+", chunk.text)}
    assert kept == {f"word{depth}" for depth in range(3 * DEEPEST_NESTING)}
