"""The guard: admit, permit, outcome. It knows no RAG."""
