"""What one replica believes of each circuit and decides for itself. In memory; no connection, no waiting."""
