"""Drill: scripted outages against a fleet of real processes, under a steady stream of questions."""
