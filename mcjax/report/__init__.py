"""What a person or a script reads: tables, JSON, results on disk."""
