"""Losses that somebody logged, judged by the laws of how errors add up over generations."""
