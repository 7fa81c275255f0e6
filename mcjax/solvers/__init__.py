"""Linear systems of one fit, and how a fit ends; nothing here knows of models."""
