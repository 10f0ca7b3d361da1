"""What an ingest did: in sentences, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ha_rag.index.reading.walking import PassedOver
    from ha_rag.index.report import IngestReport, Kept, TakenOut

SHOWN_PROBLEMS = 20
SHOWN_NAMES = 10


def summary(report: IngestReport, *, verbose: bool = False) -> list[str]:
    """What an ingest did, in sentences. `verbose`: each file or folder that was left out, too."""
    read = report.added + report.changed + report.unchanged
    documents = "document" if read == 1 else "documents"
    lines = [
        f"{read} {documents}: {report.added} new, {report.changed} changed, {report.unchanged} unchanged; "
        f"{report.passages} passages written"
    ]
    if report.samples:
        about = f"{report.samples} sample documents, which make room for the first document that you ingest"
        lines = [f"{about}; {report.passages} passages written"] if read == 0 else [*lines, about]
    if report.samples_out:
        lines.append(f"{report.samples_out} sample documents made room for yours")
    lines += _first(list(_taken_out(report.taken_out)), "reasons, see --json")
    lines += _first(list(map(_kept, report.kept)), "places, see --json")
    if report.mended:
        lines.append(f"{report.mended} were damaged in the index and have been read again")
    for space in report.spaces:
        if space.missing:
            why = f" ({space.why})" if space.why else ""
            lines.append(
                f"embedder {space.embedder}: {space.missing} passages without a vector{why}; the next ingest fills them"
            )
    lines += [f"{wanted} is called {name}, since another document has that name" for wanted, name in report.renamed]
    if report.damaged:
        named = ", ".join(report.damaged[:SHOWN_PROBLEMS])
        lines.append(f"damaged in the index: {named}; ingest again what they were read from, or add them again")
    lines += _skipped([one for one in report.passed_over if one.reason == "kind"])
    if verbose:
        lines += [f"left out: {one.name} ({one.kind})" for one in report.passed_over if one.reason == "left out"]
    lines += _first([f"note: {notice}" for notice in report.notices], "notes")
    lines += _first([f"not read: {error}" for error in report.unreadable], "were not read")
    return lines


def documents_of(kept: Kept) -> str:
    """How many documents they are."""
    return f"{len(kept.documents)} document{'s' if len(kept.documents) != 1 else ''}"


def _taken_out(documents: Sequence[TakenOut]) -> Iterator[str]:
    """A line for each reason: how many, and the first names."""
    reasons: dict[str, list[str]] = {}
    for one in documents:
        reasons.setdefault(one.why, []).append(one.document)
    for why, names in reasons.items():
        yield f"taken out of the index: {_names(names)}: {why}"


def _kept(kept: Kept) -> str:
    """What stays, and what to do about it."""
    what = f"kept in the index: {documents_of(kept)} from {kept.place}, which"
    if kept.empty:
        return f"{what} {kept.why}; mount it if it is a disk, or take them out with --mirror --even-if-empty"
    return f"{what} could not be looked at ({kept.why}), perhaps out of date"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more


def _skipped(files: Sequence[PassedOver]) -> Iterator[str]:
    """One line for all files of kinds that are not read: how many of each, and the first names."""
    if not files:
        return
    counts = ", ".join(f"{count} {kind}" for kind, count in Counter(file.kind for file in files).most_common())
    yield f"skipped, since their kind is not read: {counts} ({_names([file.name for file in files])})"


def _first(lines: Sequence[str], what: str) -> list[str]:
    """The first lines, and how many more there are."""
    if len(lines) <= SHOWN_PROBLEMS:
        return list(lines)
    return [*lines[:SHOWN_PROBLEMS], f"and {len(lines) - SHOWN_PROBLEMS} more {what}"]


def as_dict(report: IngestReport) -> dict[str, object]:
    """The whole report, for programs."""
    return {
        "added": report.added,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "taken_out": [{"document": one.document, "why": one.why, "gone": one.gone} for one in report.taken_out],
        "kept": [
            {"place": one.place, "documents": list(one.documents), "why": one.why, "empty": one.empty}
            for one in report.kept
        ],
        "samples": report.samples,
        "samples_out": report.samples_out,
        "mended": report.mended,
        "passages": report.passages,
        "damaged": list(report.damaged),
        "renamed": [{"wanted": wanted, "name": name} for wanted, name in report.renamed],
        "not_read": [{"document": error.document, "why": error.why} for error in report.unreadable],
        "notes": [{"document": notice.document, "what": notice.what} for notice in report.notices],
        "skipped": [{"name": one.name, "kind": one.kind} for one in report.passed_over if one.reason == "kind"],
        "left_out": [{"name": one.name, "why": one.kind} for one in report.passed_over if one.reason == "left out"],
        "spaces": [
            {"embedder": one.embedder, "filled": one.filled, "missing": one.missing, "why": one.why}
            for one in report.spaces
        ],
    }
