"""Published results on model collapse, each with a study that reproduces it."""
