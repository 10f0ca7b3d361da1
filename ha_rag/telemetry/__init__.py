"""Who listens to events and tells of them: the log today, metrics and traces beside it."""
