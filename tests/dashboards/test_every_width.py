"""The terminal view at the widths that terminals have: no word is cut, and what matters is never left out."""

from __future__ import annotations

import io
import itertools
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from ha_rag.dashboards.steering import Draft, Page, Steering
from ha_rag.dashboards.terminal import Viewport, draw, drawn_lines
from ha_rag.dashboards.text.tier_map import tier_map
from ha_rag.monitor.snapshot import FleetSnapshot
from ha_rag.monitor.tier_pictures import stage_pictures
from ha_rag.telemetry import sketch
from tests.dashboards.fleets import FLEETS, LONG_NAME, MANY, OUTAGE, WIDE_NAME, fleet

WIDTHS = (60, 80, 100, 140)
STEERED = {
    "no keys": None,
    "selected": Steering(selected="embedder.primary"),
    "circuit": Steering(selected="embedder.primary", page=Page.CIRCUIT),
    "help": Steering(selected="embedder.primary", page=Page.HELP),
    "draft": Steering(draft=Draft(circuit="generator.primary", order="open", reason="provider maintenance " * 4)),
    "said": Steering(said="no order: send the operator token (HA_RAG_ADMIN_TOKEN) as Authorization: Bearer"),
}
KINDS = list(itertools.product(FLEETS, STEERED, WIDTHS))


def lines(shown: FleetSnapshot, width: int, height: int = 40, steering: Steering | None = None) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width * 2, height=height)  # wider: rich must not wrap what was drawn too wide
    console.print(draw(shown, Viewport(width=width, height=height), steering=steering))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def words(text: str) -> set[str]:
    return set(re.findall(r"[\w%]+", text))


@pytest.mark.parametrize(("kind", "steered", "width"), KINDS)
def test_no_line_is_wider_or_taller_than_the_terminal_and_no_word_is_cut(kind, steered, width):
    shown, steering = FLEETS[kind], STEERED[steered]

    narrow, roomy = lines(shown, width, 24, steering), lines(shown, 2000, 200, steering)

    assert max(map(cell_len, narrow)) <= width
    assert len(narrow) <= 24
    # Every word there is stands whole in the roomy one; a narrow one has words of its own for what is left out.
    own = {"by", "hand", "waiting", "and", "more", "recovers", "in", "all", "circuits", "replicas", "closed", "not"}
    own |= {"of", "them", "well", "circuit", "replica", "warnings", "shadow", "disabled"}
    own |= {part for name in (LONG_NAME, WIDE_NAME) for part in name.split("-")}
    strange = {
        word for word in words("\n".join(narrow)) - words("\n".join(roomy)) - own
        if not word.isdecimal() and word.isascii()
    }  # fmt: skip
    assert strange == set()


@pytest.mark.parametrize(("kind", "width"), list(itertools.product(FLEETS, WIDTHS)))
def test_the_map_is_one_line_with_every_stage_and_its_shares(kind, width):
    shown = FLEETS[kind]

    drawn = tier_map(shown, Viewport(width=width))

    assert len(drawn) == (1 if shown.circuits else 0)
    for stage in {one.name.partition(".")[0] for one in shown.circuits} - {"payments"}:
        assert stage in drawn[0].plain
    if kind in ("outage", "many", "long names"):
        assert re.search(r"■.*100%.* → .*100%.* → .*92%.*8%", drawn[0].plain)


MAPS = {
    60: "embedder ■ ●100% → retriever ●100% → generator ●92% ●8%",
    80: "embedder ■ ● secondary 100% → retriever ● 100% → generator ● 92% ● extractive 8%",
    100: "embedder ■ ● secondary 100% → retriever ● 100% → generator ● 92% ● extractive 8%",
    140: "embedder ■ primary 0% > ● secondary 100% → retriever ● primary 100% > ● lexical 0% → "
    "generator ● primary 92% > ● extractive 8%",
}


@pytest.mark.parametrize(("width", "drawn"), MAPS.items())
def test_the_map_leaves_out_what_says_least(width, drawn):
    assert [line.plain for line in tier_map(OUTAGE, Viewport(width=width))] == [drawn]


MEASURED = replace(
    OUTAGE,
    stages=stage_pictures(OUTAGE, {c.name: {sketch.bucket(9.0 * 3**n): 9} for n, c in enumerate(OUTAGE.circuits)}),
)
WITH_LATENCIES = {
    60: MAPS[60],
    80: MAPS[80],
    125: "embedder ■ ● secondary 100% 27/27 ms → retriever ● 100% 2.2/2.2 s → generator ● 92% 239/239 ms "
    "● extractive 8% 81/81 ms",
    170: "embedder ■ primary 0% > ● secondary 100% 27/27 ms → retriever ● primary 100% 2.2/2.2 s > ● lexical 0% → "
    "generator ● primary 92% 239/239 ms > ● extractive 8% 81/81 ms",
}


@pytest.mark.parametrize(("width", "drawn"), WITH_LATENCIES.items())
def test_where_there_is_room_the_tiers_that_answer_have_their_latencies(width, drawn):
    (line,) = tier_map(MEASURED, Viewport(width=width))
    assert line.plain == drawn


def test_the_last_resort_is_part_of_the_map():
    (line,) = tier_map(FLEETS["last resort"], Viewport(width=140))

    assert line.plain.endswith("generator ■ primary 0% > ■ extractive 0% > ■ plain 100%")


def test_without_traffic_the_map_names_who_would_answer():
    (line,) = tier_map(FLEETS["no traffic"], Viewport(width=60))

    assert line.plain == "embedder ● → retriever ● → generator ●"


@pytest.mark.parametrize("width", WIDTHS)
def test_reasons_shares_and_waits_are_there_at_every_width(width):
    text = "\n".join(lines(OUTAGE, width, 24))

    row = next(line for line in text.splitlines() if line.startswith("embedder.primary"))
    assert re.search(r"■ open\s+0%.* 100%.*4\.2 s", row)
    assert "12 of 12 failed, 0 slow; seen by rag-2" in text
    assert re.search(r"embedder\.secondary\s+● closed\s+100%", text)


@pytest.mark.parametrize("width", WIDTHS)
def test_an_override_says_by_whom_why_and_for_how_long(width):
    text = " ".join(" ".join(lines(FLEETS["by hand"], width, 24)).split())

    assert "announced by mail" in text
    if width < 140:  # there, the reason has a line of its own
        assert "operator at 10.0.0.4, 1200 s more" in text


@pytest.mark.parametrize(("width", "height"), list(itertools.product(WIDTHS, (16, 20, 24, 40))))
def test_of_many_the_troubled_ones_are_shown_and_the_others_counted(width, height):
    found = lines(MANY, width, height, Steering(selected="payments.vendor-13"))

    assert any("embedder.primary" in line and "■ open" in line for line in found[2:])
    assert any(line.startswith("> payments.vendor-13") for line in found)
    listed = sum(bool(re.match(r"[> ] \S+\.\S+ +[●■]", line)) for line in found)
    rest = next((int(line.split()[1]) for line in found if re.match(r"and \d+ more circuits?, ", line)), 0)
    assert listed + rest == 20
    if height >= 24:
        late = next(line for line in found if line.startswith("rag-17"))
        assert "last 3 s ago" in late


@pytest.mark.parametrize("width", WIDTHS)
def test_a_name_that_is_too_long_has_lines_of_its_own_and_is_whole(width):
    found = lines(FLEETS["long names"], width, 60)

    assert f"embedder.{LONG_NAME}" in "".join(line.strip() for line in found)
    assert WIDE_NAME in "".join(line.strip() for line in found)
    assert f"{LONG_NAME}.eu-west-1.internal" in "".join(line.strip() for line in found)


@pytest.mark.parametrize("width", WIDTHS)
def test_ascii_is_enough_for_all_of_it(width):
    for kind in set(FLEETS) - {"long names"}:
        for steering in STEERED.values():
            drawn = drawn_lines(FLEETS[kind], Viewport(width=width, height=24, plain=True), steering=steering)
            assert all(line.plain.isascii() for line in drawn)


def test_the_history_has_a_time_axis_and_a_legend():
    found = lines(OUTAGE, 80, 40, Steering(selected="embedder.primary", page=Page.CIRCUIT))

    axis = next(n for n, line in enumerate(found) if re.fullmatch(r" +\d\d:\d\d:\d\d +\d\d:\d\d:\d\d", line))
    assert found[axis - 1].strip(" ■") == ""
    assert found[axis + 1] == "bottom line: ● closed  ■ open  ◐ half-open"
    assert any(line.startswith("100% █") for line in found)
    assert any("embedder.primary: closed -> open" in line for line in found[axis:])


def test_what_an_order_will_do_follows_the_fleet_while_it_is_written():
    draft = Steering(draft=Draft(circuit="embedder.primary", order="open", reason="x"))
    (before,) = [line for line in lines(fleet(), 140, 24, draft) if line.startswith("open embedder.primary: ")]
    (after,) = [line for line in lines(OUTAGE, 140, 24, draft) if line.startswith("open embedder.primary: ")]

    assert before.endswith("3 replicas; 12 questions a second go to secondary instead")
    assert "it is open already" in after
    gone = lines(replace(OUTAGE, circuits=OUTAGE.circuits[1:]), 140, 24, draft)
    assert "open embedder.primary: this circuit is gone" in gone


def test_on_the_map_only_what_is_broken_has_the_colour_of_an_outage():
    (line,) = tier_map(OUTAGE, Viewport(width=140))

    coloured = {line.plain[span.start : span.end]: str(span.style) for span in line.spans}
    assert str(line.style) == ""
    assert coloured["■ primary 0%"] == "bold red"
    assert coloured["● secondary 100%"] == "green"
