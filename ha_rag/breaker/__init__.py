"""The circuit breaker: admission, permits and outcomes. Independent of the RAG pipeline."""
