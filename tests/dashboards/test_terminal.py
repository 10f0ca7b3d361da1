"""The rendered text of the terminal view."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from ha_rag.dashboards.terminal import Viewport, draw
from ha_rag.messages import AnswerQuality, Quality
from ha_rag.monitor.snapshot import Differing, Override, Rate, RedisPicture, State, TrafficPoint
from tests.monitor.pictures import CALM, NOW, circuit, opening, picture, replica, timeline_event

HOSTILE = "[red]x[/red]\x1b[31mred\x07\u202eevil\nall is well\u2028\U000e0041"


def rendered(shown, width: int = 120, *, colour: bool = False, height: int = 60, plain: bool = False, **more) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=width, height=height, force_terminal=colour, color_system="standard" if colour else None
    )
    console.print(draw(shown, Viewport(width=width, height=height, plain=plain), **more))
    return out.getvalue()


def rate(failure_rate: float, state: State = "closed") -> Rate:
    return Rate(at=1.0, state=state, failure_rate=failure_rate, slow_rate=0.0, samples=9)


OPEN = circuit(
    name="embedder.primary",
    state="open",
    recovers_in_s=4.2,
    reason="5 of 5 calls failed",
    voters=("rag-2",),
    failure_rate=1.0,
    history=(rate(0.0), rate(0.5), rate(1.0, "open")),
)


def test_the_first_line_says_what_users_get():
    first = rendered(picture()).splitlines()[0]
    assert first.rstrip() == "● All questions answered · 0 % degraded · p99 9.0 ms · 1 of 1 replica"


def test_the_quality_to_expect_is_said_with_who_measured_it_where_there_is_room():
    quality = Quality(0.391, 0.399, "ndcg@10", "cranfield", "profile", AnswerQuality(0.93, 0.96, "gold"))
    told = " ".join(rendered(picture(quality=quality), 100).split())

    assert "quality to expect: search 0.391, at best 0.399 (nDCG@10); 93 % of answers with the right words" in told
    assert "measured by ha-rag evaluate with cranfield, on these documents" in told
    assert "quality to expect" not in rendered(picture(quality=quality), 100, height=19)
    assert "quality to expect" not in rendered(picture())
    hostile = rendered(picture(quality=replace(quality, measured_on=HOSTILE)))
    assert "\x1b" not in hostile
    assert "\nall is well" not in hostile


def test_circuits_that_are_not_closed_are_named_next_with_symbol_and_text():
    secondary, half_open = circuit(name="embedder.secondary"), circuit(name="generator.primary", state="half_open")
    text = rendered(picture(circuits=(OPEN, secondary, half_open)), 160)

    head, *lines = text.splitlines()
    assert head.startswith("◐ All questions answered")
    assert lines[0].rstrip() == (
        "  embedder.primary open: 5 of 5 calls failed · next probe in 4 s · secondary answers instead"
    )
    assert lines[1].startswith("  generator.primary half-open")
    assert "■ open" in text
    assert "◐ half-open" in text
    assert "5 of 5 calls failed; seen by rag-2" in text
    assert "▁▅█" in text


def test_the_countdown_continues_between_snapshots_and_ends_at_zero():
    assert "3.0 s" in rendered(picture(circuits=(OPEN,)), ago_s=1.2)
    assert "0.0 s" in rendered(picture(circuits=(OPEN,)), ago_s=60)


def test_a_half_open_circuit_without_traffic_is_shown_as_waiting():
    text = rendered(picture(circuits=(circuit(state="half_open", waiting=True),)))

    assert text.startswith("◐ All questions answered")
    assert "○ waiting for traffic" in text


def test_overrides_and_differing_replicas_are_shown():
    override = Override(mode="open", reason="maintenance", by="mia", ends_in_s=None)
    differing = (Differing(replica="rag-3", state="half_open"),)
    text = rendered(picture(circuits=(replace(OPEN, override=override, differing=differing),)), 200)

    assert "(override: open)" in text
    assert "maintenance (mia); seen by rag-2; rag-3: half-open there" in text


def test_a_disconnected_view_has_no_colours_and_shows_since_when():
    shown = picture(circuits=(OPEN, circuit(name="generator.primary")), replicas=(replica("a"),))

    live, gone = rendered(shown, colour=True), rendered(shown, colour=True, down_since="03:12:44")

    assert "\x1b[32m" in live
    assert gone.replace("\x1b[1;31m", "", 1).startswith("disconnected since 03:12:44")
    body = gone.split("\n", 1)[1]
    assert "\x1b[32m" not in body
    assert "31m" not in body


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width):
    shown = picture(
        circuits=(replace(OPEN, reason="why " * 40), circuit(name="c" * 60)),
        timeline=tuple(opening(n) for n in range(30)),
        redis=RedisPicture(configured=True, reachable=False, problem="refused " * 30),
    )
    assert max(len(line) for line in rendered(shown, width).splitlines()) <= width


def test_the_most_urgent_parts_fit_into_80_by_24():
    circuits = (*(circuit(name=f"embedder.tier-{n}") for n in range(6)), OPEN)
    shown = picture(circuits=circuits, replicas=tuple(replica(f"rag-{n}") for n in range(9)), timeline=(opening(1.0),))

    lines = rendered(shown, 80, height=24).splitlines()

    assert len(lines) <= 24
    assert any("■ open" in line and "4.2 s" in line for line in lines)
    assert any(line.startswith("Redis: ") for line in lines)


def test_states_have_ascii_symbols_without_unicode():
    text = rendered(picture(circuits=(OPEN,)), plain=True)

    assert "# open" in text
    assert text.isascii()


def test_traffic_is_shown_by_tier_and_redis_with_its_problem():
    point = TrafficPoint(
        at=NOW, seconds=1.0, questions=4, degraded=3, broken=0, served={"generator": {"primary": 1, "extractive": 3}}
    )
    shown = picture(
        circuits=(circuit(name="generator.primary"), circuit(name="generator.extractive")),
        traffic=replace(CALM, degraded_share=0.75, history=(point,)),
        redis=RedisPicture(configured=True, reachable=False, problem="Connection refused"),
    )
    text = rendered(shown)

    assert "generator ● primary 25% > ● extractive 75%" in text
    assert "5.0/s, 75% degraded, p50 2.0 ms, p99 9.0 ms" in text
    assert "■ Redis: unreachable (Connection refused)" in text


def test_events_are_shown_newest_first_with_cause():
    events = (
        timeline_event("replica_lost", 3.0, by="rag-2", reason="no heartbeat for 6 s"),
        timeline_event(
            "circuit", 2.0, circuit="c", before="half_open", after="closed", reason="2 good probes", by="rag-1"
        ),
        timeline_event("redis_lost", 1.0, reason="refused"),
    )
    lines = [line[10:].rstrip() for line in rendered(picture(timeline=events)).splitlines()[-3:]]

    assert lines == [
        "replica rag-2 is lost  no heartbeat for 6 s",
        "c: half-open -> closed  2 good probes; by rag-1",
        "Redis is unreachable  refused",
    ]


def test_untrusted_text_cannot_send_control_sequences_or_markup():
    event = timeline_event("circuit", 1.0, circuit=HOSTILE, before="closed", after="open", reason=HOSTILE, by=HOSTILE)
    shown = picture(
        circuits=(replace(OPEN, name=HOSTILE, reason=HOSTILE, voters=(HOSTILE,)),),
        replicas=(replace(replica(HOSTILE), version=HOSTILE),),
        warnings=(HOSTILE,),
        timeline=(event, replace(event, kind=HOSTILE), replace(event, before=HOSTILE, after=HOSTILE)),
        redis=RedisPicture(configured=True, reachable=False, problem=HOSTILE),
        told_by=HOSTILE,
        reason=HOSTILE,
    )
    text = rendered(shown, 200)

    assert all(line.isprintable() and not line.startswith("all is well") for line in text.split("\n"))
    assert "[red]x[/red]\\x1b[31mred\\x07\\u202eevil\\nall is well\\u2028\\U000e0041" in text


@pytest.mark.parametrize("width", range(76, 140, 4))
def test_a_long_history_does_not_truncate_names_or_states(width):
    """Regression: after half a minute of history, names were truncated at 80 columns."""
    history = tuple(rate(0.5) for _ in range(120))
    names = ["embedder.primary", "generator.extractive", "retriever.lexical"]
    waits = circuit(name="embedder.secondary", history=history, state="half_open", waiting=True)
    closed = tuple(circuit(name=name, history=history) for name in names)
    for circuits in [closed, (*closed, waits)]:
        shown = rendered(picture(circuits=circuits), width=width)
        assert all(f"{circuit.name} " in shown for circuit in circuits)
        assert shown.count("● closed ") == len(names)
        assert shown.count("waiting for traffic ") == len(circuits) - len(names)
        assert "recovers" in shown


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_long_reason_does_not_truncate_names_or_states(width):
    waiting = circuit(
        name="generator.extractive", state="half_open", waiting=True, reason="why " * 100, voters=("rag-1",)
    )
    shown = rendered(picture(circuits=(waiting, circuit(name="retriever.secondary"))), width=width)
    line = next(line for line in shown.splitlines() if line.startswith("generator.extractive"))
    assert "waiting for traffic" in line
    assert len(line) <= width
