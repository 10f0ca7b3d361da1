"""How figures are written: with three significant digits, never more than was measured."""

from __future__ import annotations


def shown(figure: float) -> str:
    """Three significant digits; whole numbers with all of theirs."""
    if figure == int(figure):
        return f"{int(figure):,}"
    if abs(figure) >= 100:
        return f"{figure:,.0f}"
    digits = f"{figure:.3g}"
    return digits if "e" not in digits else f"{figure:.6f}".rstrip("0")
