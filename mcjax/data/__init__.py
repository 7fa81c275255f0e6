"""Real data from files: rows of covariates and labels that take the place of a source's law."""
