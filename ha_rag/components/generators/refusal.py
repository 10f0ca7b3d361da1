"""Texts that say what an answer is: that the documents do not say, and that it is simulated."""

from __future__ import annotations

DOES_NOT_SAY = "The documents do not say"
"""How every generator begins such an answer; language models are told to."""
SIMULATED = "(Simulated answer) "
"""How the simulated provider begins its answers."""


def is_refusal(text: str) -> bool:
    """Whether an answer's text says that the documents do not answer the question."""
    return text.removeprefix(SIMULATED).lstrip(' *_"“').startswith(DOES_NOT_SAY)


def is_simulated(text: str) -> bool:
    """Whether the simulated provider wrote an answer, which it says in the text: other clients show nothing else."""
    return text.startswith(SIMULATED)
