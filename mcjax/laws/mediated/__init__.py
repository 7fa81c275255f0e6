"""Entities that interact through a common pool of synthetic data."""
