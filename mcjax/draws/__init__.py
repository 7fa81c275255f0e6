"""Random numbers by position, not by order."""
