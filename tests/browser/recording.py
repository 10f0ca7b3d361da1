"""`make pictures`: docs/images/outage-survived.svg, `ha-rag watch` while a real fleet survives an outage.

Frames are drawn by the terminal view, and shown one after another by the picture itself: it needs no script, no font
and no other address. Lines that frames have in common are in it once. Whoever wants no motion sees the frame in the
middle of the outage.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import aiohttp
from pydantic import TypeAdapter
from rich.console import Console
from rich.text import Text

from ha_rag.dashboards.terminal import Viewport, drawn_lines
from ha_rag.drill.configuration import FULL
from ha_rag.drill.fleet import running_fleet
from ha_rag.monitor.snapshot import FleetSnapshot
from ha_rag.simulation.load_stats import QuestionResult
from ha_rag.simulation.questions import LoadProfile, ask_open
from tests.waiting import until

FILE = Path(__file__).parents[2] / "docs" / "images" / "outage-survived.svg"
COLUMNS, LINES = 100, 22
CELL, LINE, EDGE = 8.0, 17.0, 12.0
FRAMES, AT_FAULT, AT_MEND = 26, 3, 12
"""Frames, one a second; the embedding service fails from the one to before the other."""
SHOWN_S = 0.8
BEFORE, PER_S = 200, 12
"""Questions before the first frame, and a second: their answers are the clock."""
COLOURS = {"green": "#5fd068", "red": "#ff6b6b", "yellow": "#e8c547"}
DIM, BRIGHT, BACK = "#8b949e", "#e6edf3", "#0d1117"

_SNAPSHOTS = TypeAdapter(FleetSnapshot)


async def main() -> None:
    async with running_fleet(dict(os.environ), FULL) as fleet, aiohttp.ClientSession() as session:
        stop, answers = asyncio.Event(), list[QuestionResult]()
        load = asyncio.create_task(
            ask_open(LoadProfile(url=fleet.url, for_s=300.0), PER_S, stop=stop, heard=answers.append)
        )
        await _answered(answers, BEFORE)
        frames = []
        for number in range(FRAMES):
            if number == AT_FAULT:
                await fleet.start_fault("embeddings", mode="error")
            if number == AT_MEND:
                await fleet.end_faults()
            async with session.get(f"{fleet.url}/v1/fleet") as reply:
                picture = _SNAPSHOTS.validate_json(await reply.read())
            frames.append(drawn_lines(picture, Viewport(width=COLUMNS, height=LINES)))
            await _answered(answers, BEFORE + (number + 1) * PER_S)
        stop.set()
        await load
    FILE.write_text(as_svg(frames, still=AT_MEND - 1))


async def _answered(answers: Sequence[QuestionResult], number: int) -> None:
    await until(lambda: len(answers) >= number, within_s=120)


def as_svg(frames: Sequence[Sequence[Text]], still: int) -> str:
    """The frames as one picture that shows them in turn. `still`: the one for those who want no motion."""
    width, height = COLUMNS * CELL + 2 * EDGE, LINES * LINE + 2 * EDGE
    whole_s, share = len(frames) * SHOWN_S, 100 / len(frames)
    style = (
        f"text{{font:13px ui-monospace,Menlo,Consolas,monospace;white-space:pre}}"
        f".frame{{visibility:hidden;animation:shown {whole_s:g}s steps(1) infinite}}"
        f"@keyframes shown{{0%{{visibility:visible}}{share:.3f}%,100%{{visibility:hidden}}}}"
        "@media(prefers-reduced-motion:reduce){.frame{animation:none}.still{visibility:visible}}"
    )
    once: dict[str, int] = {}
    groups = [
        f'<g class="frame{" still" if number == still else ""}" style="animation-delay:{number * SHOWN_S:g}s">'
        f"{''.join(_line(line, n, once) for n, line in enumerate(lines) if line.plain)}</g>"
        for number, lines in enumerate(frames)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        'aria-label="ha-rag watch: a circuit opens, the next tier answers, and the circuit closes again">'
        f'<style>{style}</style><rect width="100%" height="100%" rx="8" fill="{BACK}"/><defs>'
        + "\n".join(f'<g id="l{number}">{line}</g>' for line, number in once.items())
        + "</defs>\n"
        + "\n".join(groups)
        + "</svg>\n"
    )


def _line(line: Text, number: int, once: dict[str, int]) -> str:
    drawn = "".join(_spans(line))
    return f'<use href="#l{once.setdefault(drawn, len(once))}" y="{EDGE + LINE * (number + 0.75):g}"/>'


def _spans(line: Text) -> Iterable[str]:
    """One element for each word or gap-free run of a style, each at its own cell."""
    column = 0
    for segment in line.render(Console(width=COLUMNS)):
        style, text = segment.style, segment.text
        colour = COLOURS.get(style.color.name, BRIGHT) if style and style.color else BRIGHT
        fill = DIM if style and style.dim else colour
        start = column + len(text) - len(text.lstrip())
        if words := text.strip():
            weight = ' font-weight="bold"' if style and style.bold else ""
            yield (
                f'<text x="{EDGE + CELL * start:g}" textLength="{CELL * len(words):g}" fill="{fill}"'
                f"{weight}>{escape(words, quote=False)}</text>"
            )
        column += len(text)


if __name__ == "__main__":
    asyncio.run(main())
