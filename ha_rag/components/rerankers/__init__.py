"""Rerankers: they judge passages that were found, by a service or by a model inside this process."""
