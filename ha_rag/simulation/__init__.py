"""Simulated outside world: a provider that fails on command, and a load generator that asks questions."""
