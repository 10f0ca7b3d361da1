"""The room that faces the street: HTTP endpoints, their limits, and who may do what."""
