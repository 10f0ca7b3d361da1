"""The law: states, window, rules. Pure: no clock, no I/O, no randomness."""
