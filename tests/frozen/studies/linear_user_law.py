"""One model on its own output: variances of 1 / n add up, as they do in the limit only."""

import numpy as np


def law(condition, generations):
    p, n = len(condition.theta), condition.network.feeds[0].samples
    total = 1 / condition.network.initial[0] + np.arange(generations + 1) / n
    return None, total[:, None, None] * np.eye(p)
