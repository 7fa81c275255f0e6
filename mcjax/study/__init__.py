"""Studies and the files they come from. Importing this package alone imports no JAX."""
