"""Things that can fail and know no guard: embedders, retrievers and generators, one backend a file."""
