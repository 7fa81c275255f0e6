"""A user's own code, checked before anything is simulated; see :mod:`mcjax.checks.registry`."""
