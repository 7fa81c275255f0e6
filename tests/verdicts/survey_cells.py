"""The cells of a survey's verdict by what they claim."""


def cells_about(verdict, quantity):
    """Cells of one kind of claim, by network and model."""
    return {(c.condition, c.model): c for c in verdict.cells if c.quantity == quantity}
