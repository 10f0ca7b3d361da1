"""Passages in their context, in a real index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ha_rag.components.retrievers import LexicalRetriever
from ha_rag.components.retrievers.context import LONGEST
from ha_rag.index import Index, Splitting, add_document
from ha_rag.messages import Embedding, Passage

NO_VECTOR = Embedding(np.zeros(8, np.float32), None)
SPLITTING = Splitting(max_tokens=100, overlap_tokens=20)
STEPS = [f"{n}. Step wallaby{n}: drain replica {n}, wait for its queue, and restart it slowly." for n in range(1, 13)]
RUNBOOK = "\n".join(
    ["# Runbook", "", "## Restart", "", "To restart the fleet:", "", *STEPS, "", "## Notes", "", "Tea."]
)
HEADER = "| name | what it is | price |\n|---|---|---|"
PROSE = "\n\n".join(f"Paragraph {n} tells of wombat{n} and of what it ate, at quite some length." for n in range(40))


def _table(rows: int) -> str:
    listed = (f"| plan{n} | a plan with number {n} and a long description | {n} euros |" for n in range(rows))
    return "\n".join(["# Prices", "", "Our prices are these.", "", HEADER, *listed])


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index(tmp_path) as opened:
        yield opened


async def _add(index: Index, name: str, text: str) -> int:
    """Adds a Markdown document in passages of at most 100 tokens; how many there are."""
    return (await add_document(index, {}, name, text, splitting=SPLITTING)).passages


async def _found(index: Index, question: str, top_k: int = 3) -> list[Passage]:
    return await LexicalRetriever(index).retrieve(question, NO_VECTOR, top_k)


async def test_a_procedure_is_found_whole_with_its_introduction_whichever_step_matches(index: Index) -> None:
    assert await _add(index, "runbook", RUNBOOK) > 3
    for step in (1, 6, 12):
        (passage,) = await _found(index, f"wallaby{step}", 1)
        assert [line for line in passage.text.splitlines() if "wallaby" in line] == STEPS
        assert "To restart the fleet:" in passage.text


async def test_a_joined_passage_has_the_id_of_the_one_that_matched(index: Index) -> None:
    await _add(index, "runbook", RUNBOOK)
    first, last = (await _found(index, "wallaby1", 1))[0], (await _found(index, "wallaby12", 1))[0]
    assert first.text == last.text
    assert first.id != last.id
    assert first.heading == last.heading == "Runbook > Restart"
    assert last.score > 0


async def test_a_list_longer_than_the_limit_is_cut_and_its_steps_stay_in_order(index: Index) -> None:
    steps = [f"{n}. Step wallaby{n}: " + "do something slowly and carefully. " * 4 for n in range(1, 101)]
    await _add(index, "long", "\n".join(["# Long", "", *steps]))
    (passage,) = await _found(index, "wallaby50", 1)
    assert len(passage.text) <= LONGEST
    numbers = [int(line.split(".")[0]) for line in passage.text.splitlines()]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert 50 in numbers


async def test_a_row_far_down_a_table_is_found_with_the_tables_header(index: Index) -> None:
    await _add(index, "prices", _table(200))
    (passage,) = await _found(index, "plan150", 1)
    assert passage.text.startswith(f"{HEADER}\n| plan")
    assert "| plan150 |" in passage.text
    assert passage.text.count(HEADER) == 1
    assert len(passage.text) < 500


async def test_a_row_beyond_the_search_for_a_header_is_found_without_one(index: Index) -> None:
    await _add(index, "prices", _table(600))
    (passage,) = await _found(index, "plan590", 1)
    assert passage.text.startswith("| plan")


async def test_neighbours_that_were_both_found_are_joined_and_their_overlap_is_not_doubled(index: Index) -> None:
    assert await _add(index, "prose", PROSE) > 5
    alone = await _found(index, "wombat20", 1)
    both = await _found(index, "wombat20 wombat23", 2)
    assert len(alone) == len(both) == 1
    assert alone[0].text in both[0].text
    assert both[0].text in PROSE


async def test_passages_with_another_between_them_stay_apart(index: Index) -> None:
    await _add(index, "prose", PROSE)
    assert len(await _found(index, "wombat2 wombat30", 2)) == 2


async def test_passages_of_two_sections_stay_apart(index: Index) -> None:
    filler = "Some words to fill the passage with, so that it cannot be joined by the splitter. " * 5
    await _add(index, "sections", f"# Guide\n\n## One\n\nwallaby {filler}\n\n## Two\n\nwombat {filler}")
    assert [passage.heading for passage in await _found(index, "wallaby wombat", 2)] == ["Guide > One", "Guide > Two"]


async def test_lists_of_two_documents_stay_apart(index: Index) -> None:
    await _add(index, "one", "\n".join(f"- wallaby {n}" for n in range(5)))
    await _add(index, "two", "\n".join(f"- wombat {n}" for n in range(5)))
    assert len(await _found(index, "wallaby wombat", 2)) == 2
    assert "wombat" not in (await _found(index, "wallaby", 1))[0].text


async def test_all_passages_of_a_long_document_become_few_of_limited_length(index: Index) -> None:
    await _add(index, "prose", PROSE.replace("Paragraph", "Paragraph wallaby") * 6)
    passages = await _found(index, "wallaby", 50)
    assert all(len(passage.text) <= LONGEST for passage in passages)
    assert 1 < len(passages) < 10


async def test_copies_of_a_document_take_one_place_and_are_named(index: Index) -> None:
    for name in "abcdefghij":
        await _add(index, name, "# Refunds\n\nRefunds are paid within 14 days.")
    await _add(index, "z", "# Other\n\nRefunds of fees are another matter, on which nobody has written much so far.")
    first, second = await _found(index, "when are refunds paid", 2)
    assert {first.document, *first.also_in} == set("abcdefghij")
    assert (second.document, second.also_in) == ("z", ())
