"""docs/http.md says what the server says of itself."""

from __future__ import annotations

from pathlib import Path

from tests.http.reference import description, reference

PAGE = Path(__file__).parents[2] / "docs" / "http.md"


async def test_the_page_is_written_from_the_servers_own_description() -> None:
    written = reference(await description())
    assert PAGE.read_text(encoding="utf-8") == written, "write it anew: python -m tests.http.reference > docs/http.md"


async def test_every_endpoint_stands_in_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for path, methods in (await description())["paths"].items():
        for method in methods:
            assert f"## `{method.upper()} {path}`" in page
