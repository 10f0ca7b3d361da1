"""One file of the corpus: what is in it, and what must be found or said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Case:
    """`name`: of the file, whose ending decides how it is read. `about`: what is special about it.

    `found`: parts of its text. `lines`: whole lines of it, such as a table's row. `absent`: not in its text. `why`: the
    reason that is named if nothing can be read. `unread`, `notes`: parts of what is said of a file that is read.
    `beside`: the other files of its folder.
    """

    name: str
    about: str
    data: str | bytes | Callable[[], bytes]
    found: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    title: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)
    why: str = ""
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    beside: Mapping[str, bytes] = field(default_factory=dict)
    encoding: str = ""

    @property
    def content(self) -> bytes:
        data = self.data() if callable(self.data) else self.data
        return data if isinstance(data, bytes) else data.encode()
