"""Extraction: what can be quoted from a passage (sentences, rows, steps, answers, code), and how well it answers."""
