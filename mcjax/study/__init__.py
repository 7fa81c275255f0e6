"""Studies and study files. Importing this package alone does not import JAX."""
