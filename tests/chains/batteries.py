"""Many hypotheses at once: how likely a correct program fails, and which are rejected."""

BUDGET = 1e-3
"""Probability that a correct program fails one of the batteries below."""


def rejected(cells, budget=BUDGET):
    """Names of the hypotheses that Holm's procedure rejects; ``cells``: name -> p-value."""
    found = []
    for left, name in zip(range(len(cells), 0, -1), sorted(cells, key=cells.get), strict=True):
        if not cells[name] <= budget / left:
            break
        found.append(name)
    return found
