"""Generators write answers. One backend per file; those in `scripted` need no setup and can be made to fail."""
