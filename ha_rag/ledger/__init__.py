"""The shared circuits: Redis and its scripts (store), each replica's cached state (view), and the sync of the two."""
