"""What the replicas share, in Redis or in memory: the ledger's verbs, keys, scripts and connections."""
