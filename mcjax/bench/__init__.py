"""Measure how fast chains run on a machine, beside what the machine can do."""
