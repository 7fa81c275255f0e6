"""What is judged: one quantity a module, and a registry of them all."""
