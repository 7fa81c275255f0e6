"""Selections of feeds: how chains draw them, and the populations that laws use."""
