"""docs/http.md matches the OpenAPI document."""

from __future__ import annotations

from pathlib import Path

from tests.http.reference import description, reference

PAGE = Path(__file__).parents[2] / "docs" / "http.md"


async def test_the_page_matches_the_description() -> None:
    written = reference(await description())
    assert PAGE.read_text(encoding="utf-8") == written, "regenerate it: python -m tests.http.reference > docs/http.md"


async def test_every_endpoint_is_in_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for path, methods in (await description())["paths"].items():
        for method in methods:
            assert f"## `{method.upper()} {path}`" in page
