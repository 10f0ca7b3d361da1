"""Measures of rankings, by the library ir-measures, and of answers' texts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

CUTOFF: Final = 10
NDCG, MRR, RECALL, RECALL_OF_ANSWERS = "ndcg@10", "mrr@10", "recall@10", "recall@3"
_CITATION = re.compile(r"\s*\[\d+\]")

Rankings = Mapping[str, Sequence[str]]
"""Question id -> ids of the documents found, best first."""
Judgements = Mapping[str, Mapping[str, int]]
"""Question id -> document id -> relevance, above 0."""


def ranking_figures(judged: Judgements, found: Rankings) -> dict[str, float]:
    """The means over all judged questions, each from 0 to 1. A question for which nothing was found counts as 0.

    nDCG has the gains of trec_eval: a document counts by its relevance.
    """
    import ir_measures
    from ir_measures import RR, R, nDCG

    named = {NDCG: nDCG @ CUTOFF, MRR: RR @ CUTOFF, RECALL: R @ CUTOFF, RECALL_OF_ANSWERS: R @ 3}
    qrels = [ir_measures.Qrel(query, document, score) for query, of in judged.items() for document, score in of.items()]
    run = [
        ir_measures.ScoredDoc(query, document, -float(rank))
        for query in judged
        for rank, document in enumerate(found.get(query, ()))
    ]
    totals = dict.fromkeys(named, 0.0)
    names = {str(measure): name for name, measure in named.items()}
    for value in ir_measures.iter_calc(list(named.values()), qrels, run):
        totals[names[str(value.measure)]] += float(value.value)
    return {name: total / len(judged) for name, total in totals.items()}


def plain(text: str) -> str:
    """A text as gold words are looked for in it: without citations, and whatever its case and spacing."""
    return " ".join(unicodedata.normalize("NFKC", _CITATION.sub("", text)).casefold().split())


def has_gold(answer: str, gold: Sequence[str]) -> bool:
    """Whether one of the accepted answers occurs in `answer`."""
    text = plain(answer)
    return any(plain(words) in text for words in gold)


def word_count(answer: str) -> int:
    """The words of an answer; characters where its language has no spaces."""
    text = plain(answer)
    unspaced = sum(unicodedata.name(letter, "").startswith(("CJK", "HIRAGANA", "KATAKANA", "THAI")) for letter in text)
    return len(text.replace(" ", "")) if 2 * unspaced > len(text) else len(text.split())


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of `values` does not exceed; 0 without any."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
