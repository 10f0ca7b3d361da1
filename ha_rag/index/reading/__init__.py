"""Reads files of each supported format; a file that cannot be read raises UnreadableDocumentError and nothing else."""
