"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The file; else HA_RAG_CONFIG, else ./ha_rag.toml.", show_default=False),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="A replica or front; else the fleet that runs here.",
        show_default="http://127.0.0.1:8000",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
