"""`ha-rag check`: reads the configuration, tries every component once, says what is wrong and how to fix it."""

from __future__ import annotations

import typer

from ha_rag.cli.options import Config, Json

MARKS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "problem": ("problem", "bold red")}


def check(config: Config = None, as_json: Json = False) -> None:
    """Read the configuration, try every component once, and say what is wrong and how to fix it."""
    import asyncio
    from dataclasses import asdict

    from ha_rag.assembly.trial import try_everything
    from ha_rag.cli.screen import console, print_json, styled, table, waiting
    from ha_rag.cli.settings_here import settings_here

    settings = settings_here(config)
    with waiting("trying every component once ..."):
        findings = asyncio.run(try_everything(settings))
    problems = sum(finding.verdict == "problem" for finding in findings)
    if as_json:
        print_json({"configuration": str(settings.source or ""), "findings": [asdict(finding) for finding in findings]})
    else:
        out, rows = console(), table("part", "", "what was seen")
        for finding in findings:
            mark, style = MARKS[finding.verdict]
            rows.add_row(styled(finding.part), styled(mark, style), styled(finding.text))
            if finding.mend:
                rows.add_row("", "", styled(f"-> {finding.mend}", "dim"))
        out.print(styled(f"configuration: {settings.source or 'none; using the defaults'}"))
        out.print(rows)
        out.print(styled(verdict(problems, sum(finding.verdict == "warning" for finding in findings))))
    if problems:
        raise typer.Exit(1)


def verdict(problems: int, warnings: int) -> str:
    """The last line."""
    if not problems and not warnings:
        return "all is well"
    counted = ((problems, "problem"), (warnings, "warning"))
    return ", ".join(f"{number} {word}{'s' if number > 1 else ''}" for number, word in counted if number)
