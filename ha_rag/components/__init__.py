"""Embedders, retrievers, rerankers, generators: a backend per file. They may fail, and know nothing about circuits."""
