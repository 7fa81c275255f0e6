"""A law's own statement that it does not speak of a condition."""

GROWING = "sample counts grow from generation to generation, and this law is of constant ones"


class Inapplicable(Exception):
    """The law does not apply; ``str(error)`` says why."""
