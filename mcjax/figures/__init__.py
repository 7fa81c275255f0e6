"""Paper figures, each with its data."""
