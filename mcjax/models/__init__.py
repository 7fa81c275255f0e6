"""Statistical models. Importing this package alone does not import JAX."""
