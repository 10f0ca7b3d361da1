"""What `ha-rag up` prints."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from ha_rag.local_fleet.narrator import Narrator
from ha_rag.local_fleet.process_supervisor import Ending
from ha_rag.local_fleet.program import Program
from tests.hostile_text import HOSTILE, SHOWN, assert_harmless


def test_the_last_words_of_a_process_are_harmless():
    out = io.StringIO()
    narrator = Narrator(Console(file=out, color_system=None))
    program = Program(name="rag-1", command=(), environment={}, log=Path("rag-1.log"))

    narrator.looping(Ending(program=program, code=1, early_ends=3, looping=True, pause_s=1.0, last_words=[HOSTILE]))
    narrator.step(HOSTILE)

    assert_harmless(out.getvalue())
    assert out.getvalue().count(SHOWN) == 2
