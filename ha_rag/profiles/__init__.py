"""Measured quality beside the index: what a profile holds, whether it fits, and the figures shipped with ha_rag."""
