"""`ha-rag evaluate`: measures every plan of embedder, retriever and reranker, and every generator, with questions."""
