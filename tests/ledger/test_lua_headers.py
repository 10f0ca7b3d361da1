"""The header of each Lua file, compared with what Python sends."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import pytest

from ha_rag.circuit.rules import Batch, RestorePoint, Tally
from ha_rag.circuit.state import CircuitState, Counts, OverrideMode
from ha_rag.circuit.transitions import TABLE
from ha_rag.ledger.store.keys import PARTS
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.ledger.store.scripts import PRELUDE, VERBS, lua, scripts
from ha_rag.outcomes import Outcome
from tests.ledger.bench import terms

TERMS = terms()
ARGUMENTS_OF_TALLIES = ["epoch", "at_ms", "ok", "failed", "slow", "overdue"]


class Recorder:
    """A client that records what it was sent."""

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.args: list[Any] = []

    async def eval(self, _text: str, count: int, *rest: Any) -> list[str]:
        self.keys, self.args = list(rest[:count]), list(rest[count:])
        return [*"000", "0", "closed", *"000", "", "", *"00000000", "", "", "", ""]


def header(verb: str) -> str:
    return "".join(line + "\n" for line in lua(verb).splitlines() if line.startswith("--"))


def argument_names(verb: str) -> list[str]:
    """The argument names in the header after the terms, one per line."""
    return re.findall(r"^--      (\w+) ", header(verb), flags=re.MULTILINE)


async def sent(verb: str, *args: Any) -> Recorder:
    client: Any = Recorder()
    ledger = RedisLedger(client)
    await getattr(ledger, verb)("x", TERMS, *args)
    recorder: Recorder = client
    return recorder


CALLS: dict[str, tuple[Any, ...]] = {
    "record": (Batch("a", 1, (Tally(0, 0, Counts()), Tally(0, 1, Counts()))), 0.0),
    "lease": ("a", 0, "t"),
    "settle": ("a", "t", Outcome.OK, 0, 0.0),
    "override": (OverrideMode.OPEN, "why", "who", None),
    "order": (OverrideMode.OPEN, "why", "who", None),
    "restore": ("a", RestorePoint(CircuitState.OPEN, 1)),
    "trial": (),
}


@pytest.mark.parametrize("verb", CALLS)
async def test_a_verbs_header_names_every_argument_that_is_sent(verb: str) -> None:
    recorder = await sent(verb, *CALLS[verb])
    named = argument_names(verb)
    if verb == "record":
        assert named.pop() == "tallies"
        assert all(name in header(verb) for name in ARGUMENTS_OF_TALLIES)
        named += ARGUMENTS_OF_TALLIES * 2
    assert len(recorder.keys) == len(PARTS) + 1
    ninth = ("trial", "the key to try") if verb == "trial" else ("change-log", "the change log")
    assert recorder.keys[-1].endswith(f":{ninth[0]}")
    assert f"-- KEYS 9     {ninth[1]}" in header(verb)
    fields = len(TERMS.wire())
    assert recorder.args[:fields] == list(TERMS.wire())
    assert len(recorder.args) == fields + len(named)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_short_and_its_header_names_its_purpose_arguments_result_and_caller(verb: str) -> None:
    said = header(verb)
    assert len(lua(verb).splitlines()) <= 40
    assert said.startswith(f"-- {verb}: ")
    for part in ("-- KEYS 1-8", f"-- ARGV 1-{len(TERMS.wire())} ", "-- Returns ", f"-- Called by RedisLedger.{verb}\n"):
        assert part in said


def test_only_the_clock_reads_redis_time_or_sets_a_ttl() -> None:
    others = [f"prelude/{part}" for part in PRELUDE[1:]] + list(VERBS)
    assert not [name for name in others if re.search(r"'(TIME|PTTL|TTL|P?EXPIRE(AT)?|PX|EX)'", lua(name))]


def test_no_script_defines_a_global_or_scans_for_keys() -> None:
    for name in [f"prelude/{part}" for part in PRELUDE] + list(VERBS):
        assert not re.search(r"'(KEYS|SCAN)'|^function ", lua(name), flags=re.MULTILINE)


def test_every_lua_file_is_part_of_a_script() -> None:
    folder = files("ha_rag.ledger").joinpath("lua")
    verbs = {entry.name for entry in folder.iterdir() if entry.name.endswith(".lua")}
    parts = {entry.name for entry in folder.joinpath("prelude").iterdir()}
    assert verbs == {f"{verb}.lua" for verb in VERBS}
    assert parts == {f"{part}.lua" for part in PRELUDE}
    assert set(scripts()) == set(VERBS)


def test_the_lua_lists_the_terms_in_the_order_in_which_they_are_sent() -> None:
    listed = re.search(r"local TERMS = \{(.*?)\}", lua("prelude/rules"), flags=re.DOTALL)
    assert listed is not None
    assert tuple(re.findall(r"'(\w+)'", listed[1])) == type(TERMS).__slots__


def test_the_lua_lists_the_keys_in_the_order_in_which_they_are_sent() -> None:
    listed = re.search(r"local PARTS = \{(.*?)\}", lua("prelude/circuit"), flags=re.DOTALL)
    assert listed is not None
    assert tuple(re.findall(r"'(\w+)'", listed[1])) == PARTS


def test_every_trigger_leads_to_the_same_state_in_lua_as_in_the_transition_table() -> None:
    listed = re.search(r"local LEADS_TO = \{(.*?)\}", lua("prelude/rules"), flags=re.DOTALL)
    assert listed is not None
    in_lua = dict(re.findall(r"\['([^']+)'\] = '(\w+)'", listed[1]))
    assert in_lua == {trigger.value: after.value for (_, trigger), after in TABLE.items()}
