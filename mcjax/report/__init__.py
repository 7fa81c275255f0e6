"""Output for people and scripts: tables, JSON, and results on disk."""
