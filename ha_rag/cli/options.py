"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The file; else HA_RAG_CONFIG, else ./ha_rag.toml.", show_default=False),
]
Url = Annotated[str, typer.Option("--url", help="The address of a replica, or of the port before them.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
