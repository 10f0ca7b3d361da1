"""The state of the whole fleet as one snapshot: polled, remembered for minutes, and handed to whoever shows it."""
