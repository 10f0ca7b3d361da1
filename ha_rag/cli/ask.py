"""`ha-rag ask`: one question, its answer, its sources, and who served it."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from ha_rag.cli.options import Json, Url
from ha_rag.cli.replica_client import client_of
from ha_rag.errors import ConfigurationError
from ha_rag.monitor.quality_words import quality_lines

SHOWN_CHARACTERS = 160


def ask(
    question: Annotated[str, typer.Argument(help='The question, in quotes, as in "How does a circuit recover?"')],
    url: Url = None,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, max=50, help="How many passages to answer from.")] = 3,
    timeout_s: Annotated[float | None, typer.Option("--timeout", min=0.01, help="Seconds it may take.")] = None,
    as_json: Json = False,
) -> None:
    """Ask a question: the answer with its citations, and who served it."""
    from ha_rag.cli.screen import print_json, waiting

    _require_text(question)
    body = {"question": question, "top_k": top_k} | ({"timeout_s": timeout_s} if timeout_s else {})
    with waiting("asking ..."):
        answer = client_of(url, (timeout_s or 30.0) + 5.0).call("POST", "/v1/query", body)
    if as_json:
        print_json(answer)
    else:
        show_answer(answer)


def _require_text(question: str) -> None:
    try:
        question.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"the question is not UTF-8 text (its character {error.start + 1} is the first that is not)"
        ) from None


def show_answer(answer: dict[str, Any]) -> None:
    """Prints an answer for a person."""
    from ha_rag.cli.screen import console, styled

    out = console()
    out.print(styled(answer["answer"], lines=True))
    if answer["citations"]:
        out.print()
    for citation in answer["citations"]:
        # An earlier version has no quotes.
        short = excerpt(str(citation.get("quote") or citation["text"]))
        where = ", ".join([citation["document"], *citation.get("also_in", ())])
        out.print(styled(f"  [{citation['n']}] {where}  ", "bold"), styled(short, "dim"), sep="")
    out.print()
    served = ", ".join(f"{stage}: {tier}" for stage, tier in answer["served_by"].items())
    out.print(styled(f"served by {served}; {answer['ms']:.0f} ms, replica {answer['replica']}", "dim"))
    for line in quality_lines(answer.get("quality")):
        out.print(styled(line, "dim"))
    for sentence in shortcomings(answer):
        out.print(styled(sentence, "yellow"))


def excerpt(text: str) -> str:
    """The beginning of a quote or passage on one line, without Markdown syntax."""
    heads = re.sub(r"^#{1,6} +(.+?)[ .:]*$", r"\1:", text, flags=re.MULTILINE)
    plain = " ".join(re.sub(r"[`*|]|^[>-]+ ", " ", heads, flags=re.MULTILINE).split())
    return plain if len(plain) <= SHOWN_CHARACTERS else plain[:SHOWN_CHARACTERS].rsplit(" ", 1)[0] + " ..."


def shortcomings(answer: dict[str, Any]) -> list[str]:
    """Lines about what the answer is not, and about degraded stages: which tier answered instead, and why."""
    ended = answer.get("finish_reason", "")  # an earlier version says neither this nor what follows
    lines = [f"incomplete: the service ended the answer early ({ended})"] if answer.get("truncated") else []
    if (age_s := answer.get("age_s")) is not None:
        lines.append(f"earlier answer: given {age_s:,.0f} s ago to the same question, and kept in the cache")
    if answer.get("answered") is False:
        lines.append("not answered: the documents found do not answer this question, or no answer could be made")
    if answer.get("simulated"):
        lines.append(f"simulated: {answer['served_by']['generator']} is the simulated provider, not a language model")
    for stage in answer["degraded_stages"]:
        passed = [
            a for a in answer["attempts"] if a["circuit"].startswith(f"{stage}.") and a["outcome"] not in ("ok", "slow")
        ]
        why = ", ".join(_grouped(passed))
        lines.append(f"degraded: the {stage} was {answer['served_by'][stage]}" + (f" ({why})" if why else ""))
    return lines


def _grouped(attempts: list[dict[str, Any]]) -> list[str]:
    """What happened to which circuits; circuits with the same history share a line."""
    stories: dict[str, list[str]] = {}
    for attempt in attempts:
        stories.setdefault(_happened(attempt), []).append(attempt["circuit"])
    return [f"{' and '.join(circuits)} {story}" for story, circuits in stories.items()]


def _happened(attempt: dict[str, Any]) -> str:
    if attempt["outcome"] == "rejected":
        return f"was {attempt['state'].replace('_', '-')}"
    return f"{attempt['outcome']}: {attempt['reason']}" if attempt.get("reason") else str(attempt["outcome"])
