"""The last lines: which keys there are, or the order that is being written and what it will do."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from ha_rag.dashboards.steering import Draft, Page, Steering, named
from ha_rag.dashboards.text.viewport import Viewport, safe
from ha_rag.dashboards.text.wrapping import wrapped
from ha_rag.monitor.consequence import COMMANDS, consequence
from ha_rag.monitor.snapshot import FleetSnapshot

KEYS = "q quit  j/k select  enter history  o c d s a order  ? help"
BACK = "q quit  j/k select  enter or esc back  o c d s a order"
HELP_BACK = "q quit  ? or esc back"


def foot_lines(steering: Steering, picture: FleetSnapshot, view: Viewport) -> list[Text]:
    """The foot of the screen."""
    if steering.draft is not None:
        return _of_draft(steering.draft, steering.said, picture, view)
    keys = {Page.FLEET: KEYS, Page.CIRCUIT: BACK, Page.HELP: HELP_BACK}[steering.page]
    said = wrapped(Text(safe(steering.said), "bold"), view.width, 2) if steering.said else []
    return [*said, *wrapped(Text(keys, "dim"), view.width)]


def _of_draft(draft: Draft, said: str, picture: FleetSnapshot, view: Viewport) -> list[Text]:
    circuit = named(picture, draft.circuit)
    effect = consequence(picture, circuit, draft.order) if circuit else "this circuit is gone"
    head = Text.assemble((f"{COMMANDS[draft.order]} {safe(draft.circuit)}: ", "bold"), effect)
    lines = [*wrapped(head, view.width, 2)]
    lines += [line for field in _fields(draft) for line in wrapped(field, view.width, 2)]
    if said:
        lines += wrapped(Text(safe(said), "yellow"), view.width, 2)
    return [*lines, *wrapped(Text(_keys(draft), "dim"), view.width)]


def _fields(draft: Draft) -> Iterable[Text]:
    if draft.order == "auto":
        return
    yield Text.assemble("why: ", safe(draft.reason), "" if draft.timing else ("_", "blink"))
    if draft.timing:
        yield Text.assemble("for how many seconds (nothing: until it is ended): ", draft.seconds, ("_", "blink"))


def _keys(draft: Draft) -> str:
    ready = draft.order == "auto" or draft.timing
    return f"enter {'give the order' if ready else 'goes on'}  esc no order"
