"""Random numbers for jitter, ramps and shedding, from a generator of our own.

A program that seeds `random` gets the same numbers from it whether or not circuits draw some in the background. A
forked child seeds the generator anew, so that replicas do not draw the same numbers. Safe across threads, as `random`.
"""

from __future__ import annotations

import os
import random

generator = random.Random()

draw = generator.random
"""Returns a number in [0, 1)."""

between = generator.uniform
"""Returns a number between two others."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=generator.seed)
