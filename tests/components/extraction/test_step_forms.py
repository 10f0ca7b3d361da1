"""Steps are recognized in the forms that people write them in, and told from chapters and questions."""

from __future__ import annotations

import pytest

from ha_rag.components.extraction.units import Unit, UnitKind, units_of


def _steps(text: str, heading: str = "") -> list[Unit]:
    return [unit for unit in units_of(text, heading) if unit.kind is UnitKind.STEPS]


@pytest.mark.parametrize(
    "text",
    [
        "**Step 1 - Open.** Lift the lid.\n\n**Step 2 - Close.** Press it.",
        "**Step 1: Open**\n\nLift the lid.\n\n**Step 2: Close**\n\nPress it.",
        "**1.** Open. Lift the lid.\n**2.** Close. Press it.",
        "**1. Open.** Lift the lid.\n**2. Close.** Press it.",
        "### Step 1: Open\n\nLift the lid.\n\n### Step 2: Close\n\nPress it.",
        "a) Open. Lift the lid.\nb) Close. Press it.",
        "Schritt 1: Open. Lift the lid.\nSchritt 2: Close. Press it.",
        "第1步\uff1aOpen. Lift the lid.\n第2步\uff1aClose. Press it.",
        "步骤1\uff1aOpen. Lift the lid.\n步骤2\uff1aClose. Press it.",
        "## Changing the lid\n\n### 1. Open\n\nLift the lid.\n\n### 2. Close\n\nPress it.",
    ],
)
def test_all_steps_with_what_is_below_them_are_one_unit(text: str) -> None:
    (steps,) = _steps(text)
    assert ["Open" in steps.text, "Lift the lid." in steps.text] == [True, True]
    assert ["Close" in steps.text, "Press it." in steps.text] == [True, True]
    assert "*" not in steps.text


@pytest.mark.parametrize(
    "text",
    [
        "# Policy\n\n## 1. Purpose\n\nThis is why.\n\n## 2. Scope\n\nThis is where.",
        "# Onboarding\n\n## 1. Do I need a badge?\n\nYes.\n\n## 2. Do I need a key?\n\nNo.",
        "**Bold** text.\n\n**Other** text.",
        "* one thing\n* another thing",
    ],
)
def test_chapters_questions_and_bullets_are_no_steps(text: str) -> None:
    assert _steps(text) == []


def test_a_command_below_a_sentence_stands_under_it() -> None:
    (_, command) = units_of("Log in with your token.\n\n```sh\nheron login\n```")
    assert (command.kind, command.context) == (UnitKind.CODE, "Log in with your token.")
