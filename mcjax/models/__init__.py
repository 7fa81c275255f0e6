"""Families of M-estimation problems. Importing this package alone imports no JAX."""
