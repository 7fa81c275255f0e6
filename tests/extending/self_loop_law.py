"""A law of one's own: least squares in one model that reads nothing but its own output.

The estimates of a chain are a random walk around the truth. A step to n rows ``x ~ N(0, Sigma)``
has the covariance ``sigma^2 E[(X'X)^-1] = sigma^2 Sigma^-1 / (n - p - 1)``, and steps are
uncorrelated, so that covariances add up.
"""

import numpy as np

import mcjax


class SelfLoop:
    """The exact law of least squares on a self-loop."""

    name = "self_loop"
    reference = "covariances of uncorrelated steps add up"
    exact = True

    def applies(self, condition):
        """Return None for least squares on a self-loop, otherwise what is different."""
        network, p = condition.network, len(condition.theta)
        if condition.model.least_squares is None or not condition.minimises:
            return mcjax.Reason("the estimates are not those of least squares")
        constant = network.memory.current_only and network.later.constant
        if not constant or condition.design != "random":
            return mcjax.Reason("generations do not draw equally many rows, all of them new")
        loop = [(feed.origin, feed.reader) for feed in network.feeds] == [2 * network.models]
        if not loop or not network.plain:
            return mcjax.Reason("the network is not one model that reads itself alone")
        if min(*network.initial, network.feeds[0].samples) <= p + 1:
            return mcjax.Reason("with so few rows a covariance is infinite")
        return None

    def predict(self, condition, generations):
        """Predict the covariances of the errors at generations 0 to T."""
        p, network, model = len(condition.theta), condition.network, condition.model
        synthetic, real = model.least_squares.variances(model.params)
        steps = np.full(generations + 1, synthetic / (network.feeds[0].samples - p - 1))
        steps[0] = real / (network.initial[0] - p - 1)
        walk = np.cumsum(steps)[:, None, None] * np.linalg.inv(condition.covariance)
        return mcjax.Prediction.of(walk, models=1)


LAW = SelfLoop()
