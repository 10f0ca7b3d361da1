"""Embedders: texts into vectors. One backend a file; the teaching ones work without any set-up."""
