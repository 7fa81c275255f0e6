"""Random numbers that depend on position, not on the order of draws."""
