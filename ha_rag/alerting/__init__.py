"""Alerts to people: one per incident for the whole fleet, however many alerters run, and even if some crash."""
