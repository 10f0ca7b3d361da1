"""The circuit's state machine: states, window and rules. Pure: no clock, no I/O, no randomness."""
