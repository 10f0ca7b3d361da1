"""The interpreter that has LiteLLM, in an environment of its own: it needs other versions of libraries than ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LITELLM = "LITELLM_PYTHON"
"""Environment variable: another interpreter than the one that `make bench` made."""


def litellm_python() -> Path:
    """Where it is; it need not exist."""
    return Path(os.environ.get(LITELLM, Path(sys.prefix) / "litellm" / "bin" / "python"))


def litellm_version() -> str:
    """The version of LiteLLM that is installed there; empty if there is none."""
    ask = "from importlib.metadata import version; print(version('litellm'))"
    try:
        done = subprocess.run([str(litellm_python()), "-c", ask], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
