"""Writes a table that a benchmark made into the page that shows it."""

from __future__ import annotations

import re
from pathlib import Path

END = "<!-- end of what was made -->"


def show(benchmark: str, table: str, page: Path | None) -> None:
    """Prints `table`; with a page, also puts it there in place of what the same benchmark made before.

    `benchmark`: the module's name, as in `python -m benchmarks.<name>`.
    """
    begin = f"<!-- made by python -m benchmarks.{benchmark} -->"
    made = f"{begin}\n{table}\n{END}"
    print(made)
    if page is not None:
        before = f"{re.escape(begin)}.*?{re.escape(END)}"
        page.write_text(re.sub(before, lambda _: made, page.read_text(), flags=re.DOTALL))
