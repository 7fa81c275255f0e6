"""The quantities that are judged, one module each, and their registry."""
