"""Embedders, retrievers and generators, one backend per file. They may fail, and know nothing about circuits."""
