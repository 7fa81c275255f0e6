"""Figures, each kept with its data."""
