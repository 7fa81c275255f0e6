"""Verdicts on whether the simulated chains agree with the laws."""
