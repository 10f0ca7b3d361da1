"""Embedders turn texts into vectors. One backend per file; those in `scripted` need no setup and can fail on demand."""
