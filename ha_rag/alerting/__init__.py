"""Telling people: one alert per incident for the whole fleet, whatever number of alerters run and whichever dies."""
