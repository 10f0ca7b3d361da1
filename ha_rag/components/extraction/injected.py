"""Text that speaks to a language model instead of to readers, as in poisoned documents. It is quoted last."""

from __future__ import annotations

import re

_SPEAKS_TO_A_MODEL = re.compile(
    r"(?<!not )(?<!n't )(?<!never )\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}"
    r"\b(?:previous|prior|above|earlier|preceding|former|other|all|your)\b.{0,40}"
    r"\b(?:instructions?|rules?|prompts?|guidelines?|messages?|constraints?)\b|"
    r"\b(?:ignore|disregard|forget) (?:the |all |any )?(?:instructions?|rules?|prompts?|guidelines?)\b.{0,20}"
    r"\b(?:above|before)\b|"
    r"(?:^|[.!?]\s)\W*(?:system|assistant|developer)\s*(?:prompt|message)?\s*:\s*"
    r"(?:you|please|say|print|reveal|answer|reply|respond|ignore|do|never|always|act|pretend|output|repeat|approve|tell)\b|"
    r"\byou are now (?:an? |the ).{0,30}\b(?:assistant|admin\w*|ai|llm|model|bot|hacker|developer|root|system)\b|"
    r"\bfrom now on,? you\b|"
    r"\b(?:answer|respond to|reply to) (?:every|all|any|each) (?:questions (?:with|by|only)|question with)\b|"
    r"\b(?:reveal|print|repeat|show|output|leak)\b.{0,20}\b(?:system prompt|your (?:prompt|instructions|rules))\b|"
    r"\b(?:note|message|instructions?|attention|important|dear)\b\W{1,3}(?:to |for )?(?:the |any |all )?"
    r"(?:ai|llm|assistant|chatbot|language model)s?\b|"
    r"\bif you are an? (?:ai|llm|assistant|chatbot|language model)\b|"
    r"\b(?:ignoriere|missachte|vergiss)\b.{0,40}\b(?:anweisung\w*|regeln|instruktion\w*|vorgaben)\b|"
    r"\bdu bist (?:jetzt|nun|ab jetzt)\b|"
    r"\b(?:ignore[zr]?|oublie[zr]?|ignora|olvida|dimentica)\b.{0,40}\b(?:instru[cz]\w+|consignes|reglas|regole|istruzioni)\b|"
    r"(?:忽略|无视|無視|忘记).{0,12}(?:指令|指示|规则|提示|命令)|<\||\[/?INST\]|<</?SYS>>",
    re.IGNORECASE | re.MULTILINE,
)
_HINTS = (
    "ignor", "disregard", "forget", "overrid", "bypass", "system:", "system prompt", "system message", "assistant",
    "developer:", "you are now", "now on", "questions with", "question with", "questions by", "questions only",
    "your prompt", "your instructions", "your rules", " ai:", " ai,", " ai.", " ai ", "llm", "chatbot",
    "language model", "missachte", "vergiss", "du bist", "oubli", "olvida", "dimentica", "<|", "inst]", "sys>>",
    "忽略", "无视", "無視", "忘记",
)  # fmt: skip
"""One of them is in every text that the pattern finds; looking for them takes a fraction of its time."""


def speaks_to_a_model(text: str) -> bool:
    """Whether a sentence gives instructions to a language model."""
    lower = text.lower()
    return any(hint in lower for hint in _HINTS) and bool(_SPEAKS_TO_A_MODEL.search(text))
