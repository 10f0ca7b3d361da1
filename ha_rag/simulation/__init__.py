"""The world outside, simulated: a provider that fails on command, and a steady stream of questions."""
