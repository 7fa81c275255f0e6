"""Generators of a user's own: networks of models that are known by four functions alone."""
