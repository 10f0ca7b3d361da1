"""Polls the state of the fleet, keeps minutes of history, and provides it as one snapshot."""
