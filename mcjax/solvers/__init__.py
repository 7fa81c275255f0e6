"""Solvers of one data set that need no family, and how they end."""
