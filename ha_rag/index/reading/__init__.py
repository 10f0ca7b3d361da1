"""Reading files: each form a file of its own; what cannot be read is an UnreadableDocumentError and nothing else."""
