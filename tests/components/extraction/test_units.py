"""What can be quoted from a passage: whole units, each with its position and what stands above it."""

from __future__ import annotations

import pytest

from ha_rag.components.extraction.units import LONGEST_PASSAGE, UnitKind, units_of
from tests.cpu_time import cpu_s


def _texts(text: str, kind: UnitKind | None = None) -> list[str]:
    return [unit.text for unit in units_of(text) if kind in (None, unit.kind)]


def test_a_row_of_a_table_is_one_unit_with_its_header() -> None:
    assert _texts("- Plan: Team; Price: 29 euros; Seats: 10\n- Plan: Solo; Price: 9 euros; Seats: 1") == [
        "Plan: Team; Price: 29 euros; Seats: 10",
        "Plan: Solo; Price: 9 euros; Seats: 1",
    ]


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("| Plan | Price |\n|---|---|\n| Team | 29 euros |", ["Plan: Team; Price: 29 euros"]),
        ("| Team | 29 |\n| Solo | 9 |", ["Team; 29", "Solo; 9"]),
        ("| alone |", ["alone"]),
        ("|---|---|", []),
    ],
    ids=["with a header", "without a header", "one cell", "only a divider"],
)
def test_tables_with_bars(table: str, rows: list[str]) -> None:
    assert _texts(table) == rows


def test_a_list_of_steps_is_one_unit_with_what_introduces_it_and_the_commands_between() -> None:
    text = (
        "To restart a node:\n\n1. Drain it:\n   ```\n   drain n1\n   ```\n2. Restart it.\n   Wait.\n\n3. Undrain it.\n"
    )
    (steps,) = units_of(text)
    assert (steps.kind, steps.lead) == (UnitKind.STEPS, "To restart a node:")
    assert steps.text.splitlines() == ["1. Drain it:", "   drain n1", "2. Restart it. Wait.", "3. Undrain it."]


@pytest.mark.parametrize("mark", ["{}.", "{})", "({})", "Step {}:", "### Step {}:"])
def test_steps_are_numbered_in_many_ways(mark: str) -> None:
    text = "\n".join(f"{mark.format(n)} Do part {n}." for n in (1, 2, 3))
    (steps,) = units_of(text)
    assert steps.kind is UnitKind.STEPS
    assert [f"part {n}" in steps.text for n in (1, 2, 3)] == [True] * 3


def test_bullets_below_a_sentence_about_an_order_are_steps() -> None:
    assert _texts("Do the following:\n- Unplug it.\n- Call 4711.", UnitKind.STEPS) == ["- Unplug it.\n- Call 4711."]
    assert _texts("Special leave:\n- Wedding: two days\n- Moving: one day", UnitKind.LINE) == [
        "Wedding: two days",
        "Moving: one day",
    ]


def test_steps_told_in_sentences_stay_together() -> None:
    told = "First, create the key. Then wait an hour. Finally, revoke the old one."
    assert _texts(f"Keys are rotated yearly. {told} The vault logs it.") == [
        "Keys are rotated yearly.",
        told,
        "The vault logs it.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "## May I bring a dog?\n\nOn Fridays.",
        "Q: May I bring a dog?\nA: On Fridays.",
        "**Q: May I bring a dog?**\n\nA: On Fridays.",
        "**May I bring a dog?**\n\nOn Fridays.",
        "May I bring a dog?\nOn Fridays.",
    ],
)
def test_the_answer_below_a_question_is_one_unit_that_knows_the_question(text: str) -> None:
    (answer,) = units_of(text)
    assert (answer.kind, answer.text) == (UnitKind.ANSWER, "On Fridays.")
    assert "May I bring a dog?" in answer.context


def test_definitions_and_settings_are_whole_lines() -> None:
    assert _texts("SEV1: all are affected. Page the director.\nSEV2: some are.") == [
        "SEV1: all are affected. Page the director.",
        "SEV2: some are.",
    ]
    assert _texts("```\n# seconds\ntimeout_s = 5\nretries = 2\n```") == ["# seconds\ntimeout_s = 5", "retries = 2"]


def test_short_lines_are_kept() -> None:
    assert _texts("## Mileage rate\n\n0.42 euros.") == ["0.42 euros."]


def test_headings_above_are_the_context() -> None:
    (unit,) = units_of("# Expenses\n\n## Mileage rate\n\n0.42 euros.", "Handbook")
    assert unit.context == "Expenses\nMileage rate"
    assert units_of("0.42 euros.", "Mileage rate")[0].context == "Mileage rate"


@pytest.mark.parametrize(
    "text",
    [
        "One **bold** sentence. Another `code` one.",
        "> Quoted text\n> over two lines. And more.",
        "A <b>tag</b> here. Then more <!-- hidden --> text.",
        "- an item\n  that goes on\n- another",
        "1. One.\n2. Two.",
        "| a | b |\n|---|---|\n| c | d |",
        "```\nrun it\n```",
    ],
)
def test_positions_are_those_of_the_passage(text: str) -> None:
    for unit in units_of(text):
        quoted = text[unit.start : unit.end]
        assert quoted == quoted.strip()
        first_word = unit.text.removeprefix("1. ").removeprefix("a: ").split()[0].rstrip(";")
        assert first_word in quoted
    assert units_of(text)


@pytest.mark.parametrize("text", ["", "   \n\n", "# Only a heading", "---", "```\n```", "\x00", "|", "1. "])
def test_a_passage_without_content_has_no_units(text: str) -> None:
    assert [unit.text for unit in units_of(text) if unit.text.strip("\x00|1. ")] == []


@pytest.mark.parametrize(
    "piece",
    ["(", "[", "[a", "![", "*", "**a ", "_a ", "<a", "<!--", "`", "a. ", "| ", "1. ", "- ", "a: ", "?\n", "1.\n", "> "],
)
def test_pathological_text_is_read_in_reasonable_time(piece: str) -> None:
    assert cpu_s(lambda: units_of(piece * LONGEST_PASSAGE)) < 20


def test_a_row_of_500_columns_is_one_unit() -> None:
    row = "; ".join(f"column {n}: {n * 7}" for n in range(500))
    assert len(units_of(f"- {row}")) == 1
