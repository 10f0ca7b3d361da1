"""The index: documents, their passages, one vector column for each space, and search by words; on disk, for a fleet."""
