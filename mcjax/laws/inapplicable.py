"""A law's own statement that it does not speak of a condition."""


class Inapplicable(Exception):
    """The law does not apply; ``str(error)`` says why."""
