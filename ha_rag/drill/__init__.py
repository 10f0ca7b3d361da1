"""Drill: scripted outages of a real fleet under steady traffic, and what its users notice of them."""
