"""Examples shown below the help of ha-rag and of each command."""

from __future__ import annotations

from collections.abc import Iterable

FIRST = (
    ("ha-rag up", "a fleet on port 8000"),
    ('ha-rag ask "How does a circuit recover?"', "who answered, and from what"),
    ("ha-rag ingest ./handbook notes.pdf", "more documents"),
    ("ha-rag break embedder.primary --for 30", "see which tier takes over"),
    ("ha-rag circuits", "the state of every circuit"),
    ("ha-rag learn", "a guided walk through failures"),
    ("ha-rag check --config ha_rag.toml", "what is wrong, and how to fix it"),
)
OF = {
    "up": (
        ("ha-rag up", "three replicas, their own Redis, a simulated provider"),
        ("ha-rag up --config ha_rag.toml --replicas 5", "your services"),
    ),
    "serve": (("ha-rag serve --config ha_rag.toml --port 8001", "one replica, for a supervisor of your own"),),
    "ingest": (
        ("ha-rag ingest ./handbook notes.pdf", "what is new or has changed"),
        ("ha-rag ingest --mirror ./handbook", "and forget what is gone"),
    ),
    "documents": (
        ("ha-rag documents", "all of them"),
        ("ha-rag documents --state waiting", "those without some of their vectors"),
        ("ha-rag documents --words handbook --from file --json", "for programs"),
        ("ha-rag documents show breaker.md", "one, with its passages"),
    ),
    "forget": (("ha-rag forget notes.md old/plan.docx", "by the ids that `ha-rag documents` lists"),),
    "ask": (
        ('ha-rag ask "How does a circuit recover?"', "with citations"),
        ('ha-rag ask --json "How does a circuit recover?"', "for programs"),
    ),
    "watch": (
        ("ha-rag watch", "live; ? shows its keys"),
        ("ha-rag watch --once --json", "one snapshot, for scripts"),
        ("ha-rag watch --url redis://localhost:6379/0", "where no replica can be reached"),
    ),
    "circuits": (
        ("ha-rag circuits", "all of them"),
        ("ha-rag circuits show embedder.primary", "one, with what it counted"),
        ('ha-rag circuits open generator.primary --reason "maintenance" --for 1800', "refuse all calls"),
        ("ha-rag circuits auto generator.primary", "end the override"),
    ),
    "break": (
        ("ha-rag break embedder.primary --for 30", "every call fails"),
        ("ha-rag break generator.primary --mode slow --delay 2", "a brownout"),
        ("ha-rag break generator.primary --rate 0.2", "one call in five"),
    ),
    "mend": (("ha-rag mend", "everything"), ("ha-rag mend embedder.primary", "one service")),
    "check": (("ha-rag check --config ha_rag.toml", "before it goes live"), ("ha-rag check --json", "for programs")),
    "evaluate": (
        ("ha-rag evaluate questions.jsonl", "every plan, with your questions"),
        ("ha-rag evaluate --questions 50", "questions made from your documents"),
        ("ha-rag evaluate cranfield --limit 100 --json", "a public data set, for programs"),
    ),
    "experiment": (
        ("ha-rag experiment", "the arms, and what people like more"),
        ("ha-rag experiment --end large", "one arm for everybody"),
        ("ha-rag experiment --url redis://localhost:6379/0", "where no replica can be reached"),
        ("ha-rag experiment --degradation", "what degrading costs, by what people thought"),
        ("ha-rag experiment --degradation --json", "for programs"),
    ),
    "drill": (
        ("ha-rag drill --fast", "every outage, but short ones"),
        ("ha-rag drill --stage killed", "one outage"),
        ("ha-rag drill --html report.html", "and a page that draws it"),
    ),
    "learn": (
        ("ha-rag learn", "twelve scenarios"),
        ("ha-rag learn --scenario recovery", "one of them"),
        ("ha-rag learn --auto --seed 7", "to look on"),
    ),
    "dashboard": (("ha-rag dashboard --config ha_rag.toml --port 8080", "beside the fleet"),),
    "alerter": (("ha-rag alerter --config ha_rag.toml", "beside the fleet"),),
}


def shown(examples: Iterable[tuple[str, str]]) -> str:
    """The examples as rich markup, for the end of a help page."""
    examples = list(examples)
    wide = max(len(line) for line, _ in examples)
    lines = [f"  {line:<{wide}}   [dim]{remark}[/dim]" for line, remark in examples]
    return "\n\n".join(["[bold]Examples[/bold]", *lines])
