"""Each circuit's state in one replica: the cached fleet state and the local breaker. In memory only; never blocks."""
