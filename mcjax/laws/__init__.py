"""Laws of the errors, generation by generation and in the long run."""
